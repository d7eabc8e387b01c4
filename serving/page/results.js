// What was read in one article, and what its reader says of it.
import { ArticleView } from "./article.js";
import { cardOf, inOrder, legendOf } from "./cards.js";
import { byId, element, goTo } from "./dom.js";
import { openEditor } from "./editor.js";
import { counted, listed } from "./labels.js";
import { overviewOf } from "./overview.js";
import { faultOf, judgementOf, judgementsOf, standingsOf } from "./record.js";

const cardsOf = (article) => [...(article.cards?.given ?? []), ...(article.cards?.added ?? [])];

/** Shows an article; `onChange()` is called when its reader has said something of it, or has taken it back. */
export class Results {
  constructor(onChange) {
    this.onChange = onChange;
    this.article = null;
    this.left = null;
    this.hidden = new Set();
    this.view = new ArticleView(byId("article"), (index) => this.open(this.article.response.actors[index].actor));
    byId("back").addEventListener("click", () => this.goBack());
    byId("add").addEventListener("click", () => this.add());
  }

  show(article) {
    this.stow();
    this.article = article;
    this.left = null;
    this.hidden.clear();
    byId("results").hidden = !article;
    if (!article) return;
    const { actors } = article.response;
    byId("article-title").textContent = article.title;
    this.view.show(article.text, actors);
    byId("back").hidden = true;
    this.showWarnings();
    const made = inOrder(standingsOf(article)).map((one) => this.card(one));
    byId("cards").replaceChildren(...(article.cards?.given ?? made.filter((one) => one.tagName === "LI")));
    byId("added").replaceChildren(...(article.cards?.added ?? made.filter((one) => one.tagName !== "LI")));
    this.tally();
  }

  /** Keep the cards of the article that is shown, with the forms that are open in them. */
  stow() {
    if (this.article) this.article.cards = { given: [...byId("cards").children], added: [...byId("added").children] };
  }

  /** Whether forms are open in the cards of an article. */
  hasOpenForm(article) {
    if (article === this.article) this.stow();
    return cardsOf(article).some((card) => card.querySelector("form"));
  }

  /** What follows from the stances as they stand: title, marks in the text, counts, overview, filter. */
  tally() {
    const standings = standingsOf(this.article);
    const { process } = this.article.response;
    byId("results-title").textContent = `${counted(standings.filter((one) => one.label).length, "actor")} toward the ${process.name}`;
    this.view.mark(standings.filter((one) => one.actor));
    byId("legend").replaceChildren(...legendOf(standings, this.hidden, () => this.filter()));
    byId("overview").replaceChildren(overviewOf(inOrder(standings), (name) => this.open(name)));
    this.filter();
  }

  filter() {
    const isHidden = (one) => this.hidden.has(one.dataset.stance);
    const cards = [...byId("cards").children, ...byId("added").children];
    for (const one of [...cards, ...byId("overview").querySelectorAll("tbody tr")]) one.hidden = isHidden(one);
    const shown = cards.filter((card) => !card.hidden).length;
    byId("filtered").textContent = shown < cards.length ? `${shown} of ${counted(cards.length, "actor")} shown` : "";
  }

  showWarnings() {
    const { actors, warnings } = this.article.response;
    const absent = actors.filter((one) => !one.mentions.length).map((one) => `“${one.actor}”`);
    const words = warnings.filter((one) => !["actor_not_found", "no_actor_found"].includes(one.code)).map((one) => one.message);
    if (absent.length) words.unshift(`The text does not name ${listed(absent)}. Add the other names that it uses, behind an equals sign, and read it again.`);
    if (!actors.length) words.unshift("No actor was found in the text. Name the actors in the form and read it again.");
    byId("warnings").replaceChildren(...words.map((one) => element("p", { class: "warning" }, one)));
  }

  card(standing) {
    const { name, check, actor } = standing;
    return cardOf(standing, {
      reveal: (span) => this.reveal(span, this.find(name)),
      edit: (place) => this.edit(place, check ?? judgementOf(actor)),
      undo: () => this.keep(name, null),
      confirm: () => this.confirm(actor),
    });
  }

  find(name) {
    return [...byId("cards").children, ...byId("added").children].find((card) => card.dataset.name === name);
  }

  /** Go to the card of an actor, though it be filtered out. */
  open(name) {
    const card = this.find(name);
    if (card.hidden) {
      this.hidden.delete(card.dataset.stance);
      this.tally();
    }
    goTo(card);
  }

  reveal(span, card) {
    // Safari does not focus a button that is clicked.
    this.left = card.contains(document.activeElement) ? document.activeElement : card;
    byId("back").hidden = false;
    this.view.reveal(span);
  }

  goBack() {
    byId("back").hidden = true;
    if (this.left?.isConnected) goTo(this.left);
  }

  others(name) {
    return judgementsOf(this.article).filter((one) => one.actor !== name);
  }

  confirm(actor) {
    const judgement = judgementOf(actor, true);
    const fault = faultOf(this.article.text, judgement, this.others(actor.actor));
    if (fault) this.edit(this.find(actor.actor).querySelector(".judging"), judgement, fault);
    else this.keep(actor.actor, judgement);
  }

  add() {
    const card = byId("added").appendChild(element("div", { class: "card" }, element("div")));
    this.edit(card.firstChild, { actor: "", label: null, mentions: [], evidence: [], checked: true, dropped: false });
  }

  edit(place, judgement, fault = null) {
    const card = place.closest(".card");
    openEditor(place, {
      text: this.article.text, judgement, others: () => this.others(judgement.actor), selection: () => this.view.selection, fault,
      save: (made) => this.keep(made.actor, made, card),
      cancel: () => this.renew(judgement.actor, card),
    });
  }

  /** Keep what the reader says of an actor; null takes it back. */
  keep(name, judgement, card = this.find(name)) {
    if (judgement) this.article.checks.set(name, judgement);
    else this.article.checks.delete(name);
    this.renew(name, card);
    this.tally();
    if (this.find(name)?.hidden) this.open(name);
    this.onChange();
  }

  /** Make one card anew, and only that: forms that are open in others stay. */
  renew(name, card) {
    const standing = standingsOf(this.article).find((one) => one.name === name);
    if (!standing) {
      card.remove();
      byId("add").focus();
      return;
    }
    const made = this.card(standing);
    card.replaceWith(made);
    made.focus({ preventScroll: true });
  }
}
