// The page: keeps the articles that were read and shows one of them, with its corrections and the timeline.
import { ArticleView } from "./article.js";
import { addedCard, byCertainty, cardOf, legendOf } from "./cards.js";
import { button, byId, element, goTo } from "./dom.js";
import { openEditor } from "./editor.js";
import { copyFrom, curlOf, saveAs } from "./exports.js";
import { ArticleForm } from "./form.js";
import { counted, listed } from "./labels.js";
import { faultOf, judgementOf, judgementsOf, toJsonLines } from "./record.js";
import { timelineOf } from "./timeline.js";

const articles = [];
let current = null;
let left = null;
let isSaved = true;
const hidden = new Set();
const view = new ArticleView(byId("article"), (actor) => openCard(actor));

const keyOf = ({ text, response }) => JSON.stringify([response.process.name, text]);
const snippet = (text) => text.trim().slice(0, 50).replace(/\s+/g, " ");

/** Take an article that was read: a new one, or the same again, whose corrections stay. */
function take(article) {
  article.title ||= `${snippet(article.text)}…`;
  const place = articles.findIndex((one) => keyOf(one) === keyOf(article));
  article.checks = articles[place]?.checks ?? new Map();
  articles.splice(place < 0 ? articles.length : place, 1, article);
  showTimeline();
  show(article);
}

function show(article) {
  current = article;
  left = null;
  for (const id of ["results", "programs"]) byId(id).hidden = false;
  const { actors, process } = article.response;
  byId("results-title").textContent = `${counted(actors.length, "actor")} toward the ${process.name}`;
  view.show(article.text, actors);
  byId("legend").replaceChildren(...legendOf(actors, filter));
  hidden.clear();
  byId("back").hidden = true;
  byId("curl").textContent = curlOf(article.request);
  byId("json").textContent = JSON.stringify(article.response, null, 2);
  showArticles();
  showWarnings();
  showCards();
}

function filter(label, isShown) {
  if (isShown) hidden.delete(label);
  else hidden.add(label);
  applyFilter();
}

function applyFilter() {
  for (const card of byId("cards").children) card.hidden = hidden.has(card.dataset.stance);
}

function showArticles() {
  byId("articles").hidden = articles.length < 2;
  byId("articles").replaceChildren(...articles.map((one) =>
    button(`${one.date ? `${one.date} · ` : ""}${one.title}`, () => show(one), { "aria-current": one === current && "true", dir: "auto" })));
}

function showWarnings() {
  const { actors, warnings } = current.response;
  const absent = actors.filter((one) => !one.mentions.length).map((one) => `“${one.actor}”`);
  const words = warnings.filter((one) => !["actor_not_found", "no_actor_found"].includes(one.code)).map((one) => one.message);
  if (absent.length) words.unshift(`The text does not name ${listed(absent)}. Add the other names that it uses, behind an equals sign, and read it again.`);
  if (!actors.length) words.unshift("No actor was found in the text. Name the actors in the form and read it again.");
  byId("warnings").replaceChildren(...words.map((one) => element("p", { class: "warning" }, one)));
}

function showCards() {
  const { actors } = current.response;
  const names = new Set(actors.map((one) => one.actor));
  const added = [...current.checks.values()].filter((one) => !names.has(one.actor));
  byId("cards").replaceChildren(...byCertainty(actors).map(cardAt));
  byId("added").replaceChildren(...added.map(cardOfAdded));
  showCorrections();
}

function cardAt(index) {
  const actor = current.response.actors[index];
  const check = current.checks.get(actor.actor);
  return cardOf(actor, index, check, {
    reveal: (span) => reveal(span, byId(`actor-${index}`)),
    edit: (place) => edit(place, check ?? judgementOf(actor)),
    undo: (event) => undo(actor.actor, event.currentTarget.closest(".card")),
    confirm: () => confirm(actor, index),
  });
}

function cardOfAdded(check) {
  return addedCard(check, {
    edit: (place) => edit(place, check),
    undo: (event) => undo(check.actor, event.currentTarget.closest(".card")),
  });
}

function reveal(span, card) {
  // Safari does not focus a button that is clicked.
  left = card.contains(document.activeElement) ? document.activeElement : card;
  byId("back").hidden = false;
  view.reveal(span);
}

function openCard(index) {
  const card = byId(`actor-${index}`);
  if (card.hidden) document.querySelector(`#legend input[value=${card.dataset.stance}]`).click();
  goTo(card);
}

const othersOf = (name) => judgementsOf(current).filter((one) => one.actor !== name);

function confirm(actor, index) {
  const judgement = judgementOf(actor, true);
  const fault = faultOf(current.text, judgement, othersOf(actor.actor));
  if (fault) edit(byId(`actor-${index}`).querySelector(".judging"), judgement, fault);
  else keep(judgement, byId(`actor-${index}`));
}

function edit(place, judgement, fault = null) {
  openEditor(place, {
    text: current.text, judgement, others: () => othersOf(judgement.actor), selection: () => view.selection, fault,
    save: (made) => keep(made, place.closest(".card")),
    cancel: () => renew(judgement.actor, place.closest(".card")),
  });
}

const indexOf = (name) => current.response.actors.findIndex((one) => one.actor === name);

function keep(judgement, card) {
  current.checks.set(judgement.actor, judgement);
  isSaved = false;
  renew(judgement.actor, card);
}

function undo(name, card) {
  current.checks.delete(name);
  isSaved = false;
  renew(name, card);
}

/** Make one card anew, and only that: forms that are open in others stay. */
function renew(name, card) {
  const index = indexOf(name);
  const check = current.checks.get(name);
  showCorrections();
  if (index < 0 && !check) {
    card.remove();
    byId("add").focus();
    return;
  }
  const made = index < 0 ? cardOfAdded(check) : cardAt(index);
  card.replaceWith(made);
  made.focus({ preventScroll: true });
}

function showCorrections() {
  const count = articles.reduce((sum, one) => sum + one.checks.size, 0);
  const where = articles.filter((one) => one.checks.size).length;
  byId("corrections").hidden = !count;
  byId("corrections-count").textContent = `${counted(count, "actor")} checked in ${counted(where, "article")}.`;
}

function download() {
  const made = toJsonLines(articles, byId("register").value);
  if (made.count) saveAs("corrections.jsonl", made.text);
  isSaved = Boolean(made.count) && !made.leftOut.length;
  const out = made.leftOut.map((one) => `“${one.title}” toward the ${one.response.process.name}`);
  byId("corrections-count").textContent = `${counted(made.count, "record")} written.`
    + (out.length ? ` Left out: ${listed(out, "and")}; a text takes two processes at most, and at least one actor.` : "");
}

function showTimeline() {
  const made = timelineOf(articles, (article, name) => {
    show(article);
    goTo(byId(`actor-${indexOf(name)}`));
  });
  byId("timeline").hidden = !made;
  byId("timeline-body").replaceChildren(...(made ? [made] : []));
}

byId("back").addEventListener("click", () => {
  byId("back").hidden = true;
  if (left?.isConnected) goTo(left);
});
byId("add").addEventListener("click", () => {
  const card = byId("added").appendChild(element("div", { class: "card" }, element("div")));
  edit(card.firstChild, { actor: "", label: null, mentions: [], evidence: [], checked: true, dropped: false });
});
byId("download").addEventListener("click", download);
byId("copy-curl").addEventListener("click", (event) => copyFrom(byId("curl"), event.currentTarget));
byId("copy-json").addEventListener("click", (event) => copyFrom(byId("json"), event.currentTarget));
addEventListener("beforeunload", (event) => { if (!isSaved && articles.some((one) => one.checks.size)) event.preventDefault(); });

new ArticleForm(take, () => goTo(byId("results-title"), "start")).ready.then(() => { document.documentElement.dataset.ready = "true"; });
