// Dated articles side by side: actors down, dates across, one table for each process.
import { button, element } from "./dom.js";
import { badge, counted, percent } from "./labels.js";

const keyOf = (actor) => actor.id ?? actor.actor.toLowerCase();

/** The actors of dated articles: `{name, cells, changes}`, cells in the order of the articles, null where absent. */
export function rowsOf(articles) {
  const rows = new Map();
  articles.forEach((article, column) => article.response.actors.filter((one) => one.mentions.length).forEach((actor) => {
    const row = rows.get(keyOf(actor)) ?? { name: actor.actor, cells: articles.map(() => null), changes: [] };
    row.cells[column] ??= { stance: actor.stance, probability: actor.probabilities[actor.stance], actor: actor.actor };
    rows.set(keyOf(actor), row);
  }));
  for (const row of rows.values()) row.changes = changesOf(row.cells);
  return [...rows.values()].sort((a, b) => b.changes.length - a.changes.length || seen(b) - seen(a));
}

const seen = (row) => row.cells.filter(Boolean).length;

/** Columns where a stance differs from the last one shown; `none` shows no stance, so it is no change. */
function changesOf(cells) {
  let last = null;
  return [...cells.entries()].flatMap(([column, cell]) => {
    if (!cell || cell.stance === "none") return [];
    const change = last && last.stance !== cell.stance ? [{ column, from: last.stance, to: cell.stance }] : [];
    last = cell;
    return change;
  });
}

/** The timeline's content; null with fewer than two dated articles on any process. */
export function timelineOf(articles, open) {
  const dated = articles.filter((one) => one.date).sort((a, b) => a.date.localeCompare(b.date));
  const processes = [...new Set(dated.map((one) => one.response.process.name))];
  const groups = processes.map((name) => dated.filter((one) => one.response.process.name === name));
  const parts = groups.filter((group) => group.length > 1).map((group) => table(group, open));
  if (!parts.length) return null;
  const undated = articles.length - dated.length;
  const note = undated ? element("p", { class: "hint" }, `${counted(undated, "article")} without a date left out.`) : null;
  return element("div", {}, ...parts, note);
}

function table(articles, open) {
  const rows = rowsOf(articles);
  const shown = rows.filter((row) => row.cells.some((cell) => cell && cell.stance !== "none"));
  const silent = rows.filter((row) => !shown.includes(row)).map((row) => row.name);
  const process = articles[0].response.process.name;
  const head = element("tr", {}, element("th", { scope: "col" }, "Actor"), ...articles.map((one) =>
    element("th", { scope: "col" }, element("time", { datetime: one.date }, one.date), element("span", { dir: "auto" }, one.title))));
  const made = element("table", {}, element("caption", {}, `Toward the ${process}`), element("thead", {}, head),
    element("tbody", {}, ...shown.map((row) => line(row, articles, open))));
  return element("div", {},
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Timeline, ${process}` }, made),
    silent.length ? element("p", { class: "hint" }, `Without a stance in any of them: ${silent.join(", ")}.`) : null);
}

function line(row, articles, open) {
  return element("tr", {}, element("th", { scope: "row", dir: "auto" }, row.name), ...row.cells.map((cell, column) => {
    if (!cell) return element("td", { class: "absent" }, element("span", { class: "unseen" }, "not named"));
    const change = row.changes.find((one) => one.column === column);
    const content = button("", () => open(articles[column], cell.actor), { class: "cell" });
    content.append(badge(cell.stance), ` ${percent(cell.probability)}`);
    if (change) content.append(element("span", { class: "change" }, `changed from ${change.from}`));
    return element("td", { class: cell.stance }, content);
  }));
}
