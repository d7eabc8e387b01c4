// The form in which a reader corrects an actor or adds one.
import { button, element, field } from "./dom.js";
import { LABELS } from "./labels.js";
import { faultOf } from "./record.js";

const linesOf = (control) => [...new Set(control.value.split("\n").map((line) => line.trim()).filter(Boolean))];

/**
 * Opens the form in `place`.
 *
 * `judgement` is where it starts, `others()` the article's other judgements, `selection()` the words selected in the
 * text; `save(judgement)` takes the outcome.
 */
export function openEditor(place, { text, judgement, others, selection, save, cancel, fault = null }) {
  const isNew = !judgement.actor;
  const name = element("input", { type: "text", maxlength: "200", dir: "auto" });
  const names = element("textarea", { rows: "2", dir: "auto", spellcheck: "false" });
  const evidence = element("textarea", { rows: "3", dir: "auto", spellcheck: "false" });
  const problem = element("p", { class: "problem", role: "alert", id: `fault-${groups + 1}`, hidden: true });
  names.value = judgement.mentions.join("\n");
  evidence.value = judgement.evidence.join("\n");
  const choices = choiceOf(judgement, isNew);
  const parts = { actor: name, label: choices, evidence, mentions: names };
  const tell = ({ part, words }) => {
    problem.textContent = words;
    problem.hidden = false;
    for (const [key, control] of Object.entries(parts)) {
      control.removeAttribute("aria-invalid");
      control.removeAttribute("aria-describedby");
      if (key !== part) continue;
      control.setAttribute("aria-invalid", "true");
      control.setAttribute("aria-describedby", problem.id);
      (control.querySelector("input") ?? control).focus();
    }
  };
  const take = (control, as) => button(`Take what is selected in the text as ${as}`, () => {
    const words = selection().trim().replace(/\s*\n\s*/g, "\n");
    control.value = [...linesOf(control), ...(words ? [words] : [])].join("\n");
    control.focus();
  }, { class: "quiet" });
  const form = element("form", { class: "editor", novalidate: true, submit: (event) => {
    event.preventDefault();
    const chosen = form.querySelector("input[type=radio]:checked")?.value;
    const made = {
      actor: isNew ? name.value.trim() : judgement.actor, label: chosen === "dropped" ? "none" : chosen,
      mentions: linesOf(names), evidence: chosen === "none" || chosen === "dropped" ? [] : linesOf(evidence),
      checked: true, dropped: chosen === "dropped",
    };
    const found = faultOf(text, made, others());
    if (found) tell(found);
    else save(made);
  } }, isNew ? field("The actor's name", name) : null, choices,
  field("Evidence, word for word, one passage a line", evidence, "The shortest words that show the stance; not needed for none."),
  take(evidence, "evidence"),
  field("Names that the text uses for the actor, one a line", names), take(names, "a name"), problem,
  element("div", { class: "sources" }, element("button", { type: "submit", class: "main" }, "Keep"), button("Leave", cancel)));
  place.replaceChildren(form);
  if (fault) tell(fault);
  else (isNew ? name : form.querySelector("input[type=radio]:checked")).focus();
}

let groups = 0;

function choiceOf(judgement, isNew) {
  groups += 1;
  const chosen = judgement.dropped ? "dropped" : judgement.label;
  const radio = (value, words, classes) => element("label", { class: "filter" },
    element("input", { type: "radio", name: `stance-${groups}`, value, checked: value === chosen }),
    element("span", { class: classes }, words));
  return element("fieldset", { role: "radiogroup" }, element("legend", {}, "The right stance"),
    ...LABELS.map((label) => radio(label, label, `badge sign ${label}`)),
    isNew ? null : radio("dropped", "this is no actor", "badge none"));
}
