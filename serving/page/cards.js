// Actors as cards, the most certain first.
import { button, element } from "./dom.js";
import { LABELS, badge, counted, listed, percent } from "./labels.js";

const certainty = (actor) => (actor.mentions.length ? actor.probabilities[actor.stance] : -1);

/** Indices of the actors by certainty; those that the text does not name come last. */
export const byCertainty = (actors) =>
  [...actors.keys()].sort((a, b) => certainty(actors[b]) - certainty(actors[a]));

/**
 * The card of one actor.
 *
 * `on` holds what its buttons do: `reveal(span)`, `edit(place)`, `confirm()`, `undo(event)`; `check` is the reader's
 * judgement, if there is one.
 */
export function cardOf(actor, index, check, on) {
  const title = element("h4", { id: `name-${index}`, dir: "auto" }, actor.actor);
  const isNamed = actor.mentions.length > 0;
  const verdict = isNamed ? [badge(actor.stance), ` ${percent(certainty(actor))}`] : ["not named"];
  const body = isNamed
    ? [bars(actor), plausible(actor, on.reveal), evidence(actor, on.reveal)]
    : [element("p", { class: "hint" }, "The text does not name this actor, so it has no stance here.")];
  return element("li", {
    id: `actor-${index}`, class: `card ${actor.stance}`, tabindex: "-1", "aria-labelledby": `name-${index}`,
    "data-stance": actor.stance,
  }, element("div", { class: "head" }, title, element("div", { class: "verdict" }, ...verdict)), ...body.filter(Boolean), judging(actor, check, on));
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
    element("span", { class: "hint" }, `${percent(one.score)} of the evidence`))));
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

function judging(actor, check, on) {
  const line = element("div", { class: "judging" });
  const words = check ? "Change" : "Correct";
  const edit = button(words, () => on.edit(line), { "aria-label": `${words} ${actor.actor}` });
  if (!check) {
    const right = button("Right", on.confirm, { "aria-label": `${actor.actor}: the stance is right` });
    line.append(...(actor.mentions.length ? [right] : []), edit);
    return line;
  }
  const undo = button("Undo", on.undo, { "aria-label": `Undo what you said of ${actor.actor}` });
  line.append(element("span", { class: "checked" }, ...saying(actor, check)), edit, undo);
  return line;
}

function saying(actor, check) {
  if (check.dropped) return ["You: no actor"];
  return [check.label === actor.stance ? "You: right, " : "You: ", badge(check.label)];
}

/** The card of an actor that a reader added. */
export function addedCard(check, on) {
  const line = element("div", { class: "judging" });
  line.append(element("span", { class: "checked" }, "You: ", badge(check.label)),
    button("Change", () => on.edit(line), { "aria-label": `Change ${check.actor}` }),
    button("Undo", on.undo, { "aria-label": `Undo what you said of ${check.actor}` }));
  return element("div", { class: `card ${check.label}`, tabindex: "-1" }, element("h4", { dir: "auto" }, check.actor), line);
}

/** Checkboxes that are the legend, the counts and a filter in one. */
export function legendOf(actors, onChange) {
  return LABELS.map((label) => {
    const count = actors.filter((one) => one.stance === label).length;
    const box = element("input", { type: "checkbox", checked: true, value: label, change: () => onChange(label, box.checked) });
    return element("label", { class: "filter" }, box, badge(label), ` ${count}`);
  });
}
