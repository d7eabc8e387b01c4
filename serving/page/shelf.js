// The articles that were read: kept, named apart, listed, removed.
import { button } from "./dom.js";

/** By what the shelf knows an article again, whatever its title and date. */
export const keyOf = ({ text, response }) => JSON.stringify([response.process.name, text]);
const snippet = (text) => text.trim().slice(0, 50).replace(/\s+/g, " ");
const labelOf = ({ date, title }) => `${date ? `${date} · ` : ""}${title}`;

/** Names that tell articles apart: by their process where title and date do not, else by a number. */
export function namesOf(articles) {
  const twins = (names, name) => names.filter((one) => one === name).length > 1;
  const plain = articles.map(labelOf);
  const full = plain.map((name, index) => (twins(plain, name) ? `${name} · ${articles[index].response.process.name}` : name));
  return full.map((name, index) => (twins(full, name) ? `${name} (${full.slice(0, index + 1).filter((one) => one === name).length})` : name));
}

/** Lists the articles in `nav`; `onChoose(article)` shows the one that is chosen there. */
export class Shelf {
  constructor(nav, onChoose) {
    this.nav = nav;
    this.onChoose = onChoose;
    this.articles = [];
    this.current = null;
  }

  /** Keep an article that was read: a new one, or the same again, whose corrections stay. */
  take(article) {
    article.title ||= `${snippet(article.text)}…`;
    const place = this.articles.findIndex((one) => keyOf(one) === keyOf(article));
    const before = this.articles[place];
    article.checks = before?.checks ?? new Map();
    const isSame = JSON.stringify(before?.response.actors) === JSON.stringify(article.response.actors);
    article.cards = isSame ? before.cards : null;
    this.articles.splice(place < 0 ? this.articles.length : place, 1, article);
  }

  /** Take an article away, and give the one that is to be shown in its place, null if none is left. */
  remove(article) {
    const place = this.articles.indexOf(article);
    this.articles.splice(place, 1);
    return this.articles[Math.min(place, this.articles.length - 1)] ?? null;
  }

  show(current) {
    this.current = current;
    const names = namesOf(this.articles);
    const focused = [...this.nav.children].indexOf(document.activeElement);
    this.nav.hidden = this.articles.length < 2;
    this.nav.replaceChildren(...this.articles.map((one, index) =>
      button(names[index], () => this.onChoose(one), { "aria-current": one === current && "true", dir: "auto" })));
    this.nav.children[focused]?.focus();
  }
}
