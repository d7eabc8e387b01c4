// The page: what was read goes to the shelf, and one article of it is shown with its corrections and the timeline.
import { Corrections } from "./corrections.js";
import { byId, goTo } from "./dom.js";
import { copyFrom, curlOf, saveAs } from "./exports.js";
import { ArticleForm } from "./form.js";
import { listed } from "./labels.js";
import { Results } from "./results.js";
import { Shelf } from "./shelf.js";
import { isTooLong, toCsv, toTabs } from "./table.js";
import { timelineOf } from "./timeline.js";

const shelf = new Shelf(byId("articles"), (article) => choose(article));
const corrections = new Corrections(shelf.articles);
const results = new Results(() => {
  corrections.change();
  showTimeline();
});
const form = new ArticleForm(take, showStale);

function goToResults() {
  goTo(byId("results-title"), "start");
}

/** Only the first article of a reading is shown: who is at work on it is not to lose it to the next, nor to its copy. */
function take(article, isFirst) {
  const focused = document.activeElement;
  results.stow();
  shelf.take(article);
  if (isFirst) return choose(article);
  if (!shelf.articles.includes(shelf.current)) {
    show(article);
    return focused.focus({ preventScroll: true });
  }
  shelf.show(shelf.current);
  return showTimeline();
}

function show(article) {
  results.show(article);
  shelf.show(article);
  showTimeline();
  showStale();
  byId("programs").hidden = !article;
  if (!article) return;
  byId("curl").textContent = curlOf(article.request);
  byId("json").textContent = JSON.stringify(article.response, null, 2);
}

function choose(article) {
  show(article);
  goToResults();
}

/** Say so when the form has another text than the one whose actors are shown. */
function showStale() {
  byId("stale").hidden = !shelf.current || !form.isOther(shelf.current);
}

function remove() {
  const article = shelf.current;
  const isJudged = article.checks.size || results.hasOpenForm(article);
  if (isJudged && !confirm(`Remove “${article.title}” and what you said of its actors?`)) return;
  show(shelf.remove(article));
  corrections.show();
  if (shelf.current) goToResults();
  else byId("text").focus();
}

function showTimeline() {
  const made = timelineOf(shelf.articles, (article, name) => {
    show(article);
    results.open(name);
  });
  byId("timeline").hidden = !made;
  byId("timeline-body").replaceChildren(...(made ? [made] : []));
}

function saveTable() {
  saveAs("stances.csv", toCsv(shelf.articles), "text/csv");
  const long = shelf.articles.filter(isTooLong).map((one) => `“${one.title}”`);
  byId("table-saved").textContent = long.length ? `Saved without the text and the labels for “train import” of ${listed(long, "and")}: `
    + "spreadsheets cut what is longer than 32,000 characters. Corrections that you download have them." : "";
}

byId("remove").addEventListener("click", remove);
byId("copy-table").addEventListener("click", (event) => copyFrom(toTabs(shelf.current), event.currentTarget));
byId("save-table").addEventListener("click", saveTable);
byId("copy-curl").addEventListener("click", (event) => copyFrom(byId("curl").textContent, event.currentTarget));
byId("copy-json").addEventListener("click", (event) => copyFrom(byId("json").textContent, event.currentTarget));
addEventListener("beforeunload", (event) => {
  if (corrections.areLost || shelf.articles.some((one) => results.hasOpenForm(one))) event.preventDefault();
});
form.ready.then(() => { document.documentElement.dataset.ready = "true"; });
