// The actors of articles as a table for a colleague, a spreadsheet, and `train import` (training/sheet.py).
import { actorsOf, idOf, judgementOf, standingsOf } from "./record.js";

/** What is copied of one article; a file has the columns of `train import` as well. */
const COPIED = ["title", "date", "process", "actor", "stance", "said_by", "model_stance", "model_probability", "plausible", "evidence"];
const SAVED = ["document", ...COPIED, "mentions", "label", "model", "text"];
const BETWEEN = " | ";
// The longest cell that spreadsheets keep, as in training/sheet.py.
const MAX_CELL = 32_000;

/** Whether a table cannot hold the article's text; its rows then have no text and no label, as `train import` needs both. */
export const isTooLong = (article) => article.text.length > MAX_CELL;

/** What `train import` is told of an actor: its label in the record, "?" if unchecked there, "-" if it is not in it. */
const importedLabel = (recorded) => (recorded ? (recorded.ambiguous ? "?" : recorded.label) : "-");

/** The rows of an article. `stance` is how it stands; `label` is empty unless a reader checked one of them. */
function rowsOf(article) {
  const { response, title, date, text, checks } = article;
  const { model, process } = response;
  const isImported = checks.size && !isTooLong(article);
  const records = new Map(isImported ? actorsOf(article).map((one) => [one.actor, one]) : []);
  return standingsOf(article).map((one, place) => {
    const { actor, check, label } = one;
    const recorded = records.get(one.name);
    const { mentions, evidence } = { ...(check ?? judgementOf(actor)), ...(recorded && { mentions: recorded.mentions }) };
    return {
      document: idOf(text), title, date: date ?? "", process: process.name, actor: one.name,
      stance: label ?? "no actor", said_by: check ? "reader" : "model",
      model_stance: actor ? actor.stance : "", model_probability: actor ? actor.probabilities[actor.stance].toFixed(2) : "",
      plausible: actor ? actor.plausible.join(BETWEEN) : "", evidence: evidence.join(BETWEEN), mentions: mentions.join(BETWEEN),
      label: isImported ? importedLabel(recorded) : "",
      model: `${model.name} ${model.version}`, text: place || isTooLong(article) ? "" : text,
    };
  });
}

// A spreadsheet takes cells that begin so for formulas; training/sheet.py takes the mark off again.
const guarded = (cell) => (/^[=+\-@\t\r']/.test(cell) && cell !== "-" ? `'${cell}` : cell);
const quoted = (cell) => `"${cell.replaceAll('"', '""')}"`;
const onOneLine = (cell) => cell.replace(/\s+/g, " ");

/** One article, to be pasted: tabs between, a line for each actor. */
export function toTabs(article) {
  const lines = rowsOf(article).map((row) => COPIED.map((name) => guarded(onOneLine(row[name]))).join("\t"));
  return [COPIED.join("\t"), ...lines].join("\n");
}

/** All articles, to be saved. It begins with a byte-order mark, by which spreadsheets know UTF-8. */
export function toCsv(articles) {
  const lines = articles.flatMap(rowsOf).map((row) => SAVED.map((name) => quoted(guarded(row[name]))).join(","));
  return `\ufeff${[SAVED.join(","), ...lines].map((line) => `${line}\r\n`).join("")}`;
}
