// Dated articles side by side: actors down, dates across, one table for each process.
import { verdictOf } from "./cards.js";
import { button, element } from "./dom.js";
import { counted } from "./labels.js";
import { standingsOf } from "./record.js";

const keyOf = ({ name, actor }) => actor?.id ?? name.toLowerCase();
const isNamed = ({ label, actor }) => label && (!actor || actor.mentions.length);

/** The actors of dated articles: `{name, cells, changes}`, cells are standings in the order of the articles, null where absent. */
export function rowsOf(articles) {
  const rows = new Map();
  articles.forEach((article, column) => standingsOf(article).filter(isNamed).forEach((one) => {
    const row = rows.get(keyOf(one)) ?? { name: one.name, cells: articles.map(() => null), changes: [] };
    row.cells[column] ??= one;
    rows.set(keyOf(one), row);
  }));
  for (const row of rows.values()) row.changes = changesOf(row.cells);
  return [...rows.values()].sort((a, b) => b.changes.length - a.changes.length || seen(b) - seen(a));
}

const seen = (row) => row.cells.filter(Boolean).length;

/** Columns where a stance differs from the last one shown; `none` shows no stance, so it is no change. */
function changesOf(cells) {
  let last = null;
  return [...cells.entries()].flatMap(([column, cell]) => {
    if (!cell || cell.label === "none") return [];
    const change = last && last.label !== cell.label ? [{ column, from: last.label, to: cell.label }] : [];
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
  const shown = rows.filter((row) => row.cells.some((cell) => cell && cell.label !== "none"));
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
    const content = button("", () => open(articles[column], cell.name), { class: "cell", title: `${row.name}, ${articles[column].date}` });
    content.append(...verdictOf(cell));
    if (change) content.append(element("span", { class: "change" }, `changed from ${change.from}`));
    return element("td", { class: cell.label }, content);
  }));
}
