// What readers said of all articles: counted, downloaded, and guarded until then.
import { byId } from "./dom.js";
import { saveAs } from "./exports.js";
import { counted, listed } from "./labels.js";
import { toJsonLines } from "./record.js";

export class Corrections {
  constructor(articles) {
    this.articles = articles;
    this.isSaved = true;
    byId("download").addEventListener("click", () => this.download());
  }

  get areLost() {
    return !this.isSaved && this.articles.some((one) => one.checks.size);
  }

  show() {
    const count = this.articles.reduce((sum, one) => sum + one.checks.size, 0);
    const where = this.articles.filter((one) => one.checks.size).length;
    byId("corrections").hidden = !count;
    byId("corrections-count").textContent = `${counted(count, "actor")} checked in ${counted(where, "article")}.`;
  }

  change() {
    this.isSaved = false;
    this.show();
  }

  download() {
    const made = toJsonLines(this.articles, byId("register").value);
    if (made.count) saveAs("corrections.jsonl", made.text);
    this.isSaved = Boolean(made.count) && !made.leftOut.length;
    const out = made.leftOut.map((one) => `“${one.title}” toward the ${one.response.process.name}`);
    byId("corrections-count").textContent = `${counted(made.count, "record")} written.`
      + (out.length ? ` Left out: ${listed(out, "and")}; a text takes two processes at most, and at least one actor.` : "");
  }
}
