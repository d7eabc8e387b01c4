// The text with its mentions: pieces that lie side by side, so that marks and evidence may overlap.
import { element, goTo } from "./dom.js";

/** Turns offsets in code points, as the service gives them, into UTF-16 units, as JavaScript has them. */
export function unitsOf(text) {
  if (!/[\ud800-\udbff]/.test(text)) return (point) => point;
  const starts = [];
  let unit = 0;
  for (const char of text) {
    starts.push(unit);
    unit += char.length;
  }
  starts.push(unit);
  return (point) => starts[Math.min(point, starts.length - 1)];
}

/** Pieces `{start, end, actor, closes}` that cover the text; `actor` is an index or null. Where mentions overlap, the shorter wins. */
export function piecesOf(text, actors) {
  const unit = unitsOf(text);
  const mentions = actors.flatMap((one, actor) =>
    one.mentions.map(({ start, end }) => ({ actor, start: unit(start), end: unit(end) })));
  const evidence = actors.flatMap((one) => one.evidence.flatMap(({ start, end }) => [unit(start), unit(end)]));
  const cuts = new Set([0, text.length, ...evidence, ...mentions.flatMap(({ start, end }) => [start, end])]);
  const bounds = [...cuts].sort((a, b) => a - b);
  const place = new Map(bounds.map((bound, index) => [bound, index]));
  const pieces = bounds.slice(1).map((end, index) => ({ start: bounds[index], end, actor: null, closes: false }));
  mentions.sort((a, b) => (b.end - b.start) - (a.end - a.start));
  for (const { actor, start, end } of mentions) {
    for (let index = place.get(start); index < place.get(end); index++) {
      Object.assign(pieces[index], { actor, closes: bounds[index + 1] === end });
    }
  }
  return pieces;
}

/** Shows a text in `pane`; a click on a mention, or Enter, calls `onActor` with the actor's index. */
export class ArticleView {
  constructor(pane, onActor) {
    this.pane = pane;
    this.onActor = onActor;
    this.selection = "";
    pane.addEventListener("click", (event) => this.follow(event));
    pane.addEventListener("keydown", (event) => this.move(event));
    document.addEventListener("selectionchange", () => this.remember());
  }

  show(text, actors) {
    this.text = text;
    this.unit = unitsOf(text);
    this.pieces = piecesOf(text, actors);
    this.nodes = this.pieces.map((piece) => this.node(piece));
    this.links = this.nodes.filter((node) => node.tagName === "A");
    this.links[0]?.setAttribute("tabindex", "0");
    this.pane.replaceChildren(...this.nodes);
    this.pane.scrollTop = 0;
    this.selection = "";
  }

  node(piece) {
    const words = this.text.slice(piece.start, piece.end);
    if (piece.actor === null) return element("span", {}, words);
    return element("a", { href: `#actor-${piece.actor}`, tabindex: "-1", "data-actor": String(piece.actor) }, words);
  }

  /** Give the mentions the stances of their actors as they stand, one standing an actor, in the actors' order. */
  mark(standings) {
    this.nodes.forEach((node, index) => {
      const { actor, closes } = this.pieces[index];
      if (actor === null) return;
      const { name, label, check } = standings[actor];
      node.className = `mention ${label ?? "none"}${closes ? " sign" : ""}`;
      node.title = name;
      node.setAttribute("aria-label", `${node.textContent}: ${label ?? "no actor"}${check ? ", by you" : ""}`);
    });
  }

  follow(event) {
    const link = event.target.closest("a.mention");
    if (!link) return;
    event.preventDefault();
    this.onActor(Number(link.dataset.actor));
  }

  /** The mentions are one stop of the tab key; arrows go among them, and scroll or select anywhere else. */
  move(event) {
    const at = this.links.indexOf(document.activeElement);
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: this.links.length - 1 }[event.key];
    if (next === undefined || !this.links[next]) return;
    event.preventDefault();
    this.links[at].setAttribute("tabindex", "-1");
    this.links[next].setAttribute("tabindex", "0");
    this.links[next].focus();
  }

  /** Mark a span, given in code points, and go there: one element that is named with all of its words. */
  reveal({ start, end, text }) {
    const former = this.pane.querySelector(".shown");
    former?.replaceWith(...former.childNodes);
    const [from, to] = [this.unit(start), this.unit(end)];
    const nodes = this.nodes.filter((_, index) => this.pieces[index].start >= from && this.pieces[index].end <= to);
    if (!nodes.length) return;
    const shown = element("span", { class: "shown", role: "group", tabindex: "-1", "aria-label": text });
    nodes[0].before(shown);
    shown.append(...nodes);
    goTo(shown);
  }

  /** Keep what is selected in the text: pressing a button may clear it. */
  remember() {
    const selection = getSelection();
    if (selection.rangeCount && !selection.isCollapsed && this.pane.contains(selection.anchorNode)) {
      this.selection = selection.getRangeAt(0).toString();
    }
  }
}
