// Actors as cards, those with a stance first.
import { button, element } from "./dom.js";
import { LABELS, badge, counted, listed, percent } from "./labels.js";

const certainty = ({ actor }) => (actor ? actor.probabilities[actor.stance] : 1);

/** 0 for an actor with a stance, 1 for one that may have one, 2 for one without, 3 for one that the text does not name. */
export function rankOf({ label, check, actor }) {
  if (actor && !actor.mentions.length) return 3;
  if (label && label !== "none") return 0;
  return check || actor.plausible.length < 2 ? 2 : 1;
}

/** Standings by rank, the most certain first within it. */
export const inOrder = (standings) => [...standings].sort((a, b) => rankOf(a) - rankOf(b) || certainty(b) - certainty(a));

/**
 * The card of one actor, as record.js has its standing; an item of a list, unless a reader added the actor.
 *
 * `on` holds what its buttons do: `reveal(span)`, `edit(place)`, `confirm()`, `undo()`.
 */
export function cardOf(standing, on) {
  const { name, label, actor, index } = standing;
  const verdict = element("span", { class: "verdict" }, ...verdictOf(standing));
  const title = element("h4", {}, element("span", { class: "name", dir: "auto" }, name), " ", verdict);
  const body = actor ? told(actor, on.reveal) : [];
  const judged = judging(standing, on);
  // What is heard when the focus comes to the card: all that is said in short.
  const heard = [title, judged.querySelector(".checked")].filter(Boolean).map((one) => one.textContent).join(". ");
  return element(actor ? "li" : "div", {
    id: actor && `actor-${index}`, class: `card ${label ?? "none"}`, tabindex: "-1", "aria-label": heard,
    role: actor ? null : "group", "data-stance": label ?? "", "data-name": name,
  }, title, ...body, judged);
}

/** The stance as it stands: the reader's, or the model's with its probability. */
export function verdictOf({ label, check, actor }) {
  if (check?.dropped) return ["no actor, by you"];
  if (check && check.label !== actor?.stance) return [badge(label), " by you"];
  return actor.mentions.length ? [badge(label), ` ${percent(actor.probabilities[label])}`] : ["not named"];
}

function told(actor, reveal) {
  if (!actor.mentions.length) {
    return [element("p", { class: "hint" }, "The text does not name this actor, so it has no stance here.")];
  }
  return [bars(actor), plausible(actor, reveal), evidence(actor, reveal)].filter(Boolean);
}

function bars(actor) {
  return element("ul", { class: "bars", "aria-label": "Probabilities" }, ...LABELS.map((label) => {
    const fill = element("span", { class: `fill ${label}` });
    fill.style.width = `${100 * actor.probabilities[label]}%`;
    return element("li", {}, element("span", { class: `sign ${label}` }, label),
      element("span", { class: "bar", "aria-hidden": "true" }, fill),
      element("span", { class: "number" }, percent(actor.probabilities[label])));
  }));
}

function plausible(actor, reveal) {
  const isUnsure = actor.plausible.length > 1;
  const advice = actor.evidence.length ? "look at the evidence" : "look at the mentions";
  const words = isUnsure ? `Plausible: ${listed(actor.plausible)}; ${advice}.` : `Plausible: ${listed(actor.plausible)} only.`;
  return element("p", { class: "plausible" }, element("span", { class: isUnsure ? "unsure" : "" }, words),
    actor.evidence.length ? null : element("span", { class: "hint" }, " No sentence shows a stance."), " ", mentions(actor, reveal));
}

function evidence(actor, reveal) {
  if (!actor.evidence.length) return null;
  const strongest = [...actor.evidence].sort((a, b) => b.score - a.score);
  return element("ul", { class: "evidence", "aria-label": "Evidence" }, ...strongest.map((one) => element("li", {},
    button(one.text, () => reveal(one), { dir: "auto", title: "Show it in the text" }),
    one === strongest[0] && strongest[1] ? element("span", { class: "hint" }, `The strongest of ${strongest.length} sentences.`) : null)));
}

/** One button that goes from mention to mention and begins again. */
function mentions(actor, reveal) {
  const total = actor.mentions.length;
  let next = 0;
  const made = button(counted(total, "mention"), () => {
    reveal(actor.mentions[next]);
    made.textContent = `mention ${next + 1} of ${total}`;
    next = (next + 1) % total;
  }, { class: "quiet", title: "Show it in the text" });
  return made;
}

function judging(standing, on) {
  const { name, check, actor } = standing;
  const line = element("div", { class: "judging" });
  const words = check ? "Change" : "Correct";
  const edit = button(words, () => on.edit(line), { "aria-label": `${words} ${name}` });
  if (!check) {
    const right = button("Right", on.confirm, { "aria-label": `${name}: the stance is right` });
    line.append(...(actor.mentions.length ? [right] : []), edit);
    return line;
  }
  const undo = button("Undo", on.undo, { "aria-label": `Undo what you said of ${name}` });
  line.append(element("span", { class: "checked" }, ...saying(standing)), edit, undo);
  return line;
}

function saying({ check, actor }) {
  if (!actor) return ["You added it."];
  if (!check.dropped && check.label === actor.stance) return ["You: right"];
  return ["The model: ", badge(actor.stance), ` ${percent(actor.probabilities[actor.stance])}`];
}

/** Checkboxes that are the legend, the counts and a filter in one; `hidden` is the set of labels that are not shown. */
export function legendOf(standings, hidden, onChange) {
  return LABELS.map((label) => {
    const count = standings.filter((one) => one.label === label).length;
    const box = element("input", { type: "checkbox", checked: !hidden.has(label), value: label, change: () => {
      if (box.checked) hidden.delete(label);
      else hidden.add(label);
      onChange();
    } });
    return element("label", { class: "filter" }, box, badge(label), ` ${count}`);
  });
}
