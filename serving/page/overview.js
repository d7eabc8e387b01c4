// The actors of an article at a glance, each with a link to its card.
import { rankOf, verdictOf } from "./cards.js";
import { element } from "./dom.js";
import { listed } from "./labels.js";

const isSilent = (standing) => rankOf(standing) > 1;

/** A line for each actor that has a stance or may have one, and the names of the others; `open(name)` goes to a card. */
export function overviewOf(standings, open) {
  const link = ({ name, index }) => element("a", {
    href: index < 0 ? "#added" : `#actor-${index}`, dir: "auto", click: (event) => { event.preventDefault(); open(name); },
  }, name);
  const silent = standings.filter(isSilent).flatMap((one, place) => [place ? ", " : "No stance: ", link(one)]);
  const lines = standings.filter((one) => !isSilent(one)).map((one) => line(one, link(one)));
  const head = ["Actor", "Stance", "May also be", "Sentences"].map((words) => element("th", { scope: "col" }, words));
  return element("div", {},
    lines.length ? element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...lines)) : null,
    silent.length ? element("p", {}, ...silent) : null);
}

function line(standing, link) {
  const { label, check, actor } = standing;
  const others = check ? [] : actor.plausible.filter((one) => one !== label);
  return element("tr", { "data-stance": label ?? "" }, element("th", { scope: "row" }, link),
    element("td", {}, ...verdictOf(standing)), element("td", {}, listed(others)),
    element("td", {}, String((check ?? actor).evidence.length)));
}
