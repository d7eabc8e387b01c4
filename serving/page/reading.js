// Reads documents one after the other: tells how far it is, can be cancelled, tries again what failed.
import { byId, goTo } from "./dom.js";
import { counted, listed } from "./labels.js";
import { Refused, Unreachable, classify } from "./service.js";
import { keyOf } from "./shelf.js";

/** Whether the focus is on something in the results: whoever is there is not called away. */
const isAtWork = () => document.activeElement.matches("#results *:not(#results-title)");

function tellBusy(seconds) {
  byId("status").textContent = `The service is busy. It is asked again in ${counted(seconds, "second")}…`;
}

/** `onArticle(article, isFirst)` takes each document that was read; of several, one is the first. */
export class Reading {
  constructor(onArticle) {
    this.onArticle = onArticle;
    this.waiting = [];
    this.problems = [];
    this.failures = [];
    this.stop = null;
    byId("cancel").addEventListener("click", () => this.stop?.abort());
    byId("again").addEventListener("click", () => this.retry());
  }

  get isBusy() {
    return this.stop !== null;
  }

  /** Read documents `{text, title, date, request}`, after those that wait; `problems` are told at the end, with those met here. */
  async add(contents, problems = []) {
    if (!this.isBusy) {
      this.problems = [];
      this.failures = [];
      this.tell();
    }
    this.waiting.push(...contents);
    this.problems.push(...problems);
    if (this.isBusy) return;
    this.begin();
    try {
      for (let done = 1; this.waiting.length; done++) {
        const total = done - 1 + this.waiting.length;
        byId("status").textContent = total > 1 ? `Reading ${done} of ${total}…` : "Reading…";
        await this.readOne(this.waiting.shift());
      }
    } finally {
      this.end();
    }
  }

  retry() {
    this.add(this.failures.map((one) => one.content));
    // The button that had the focus is gone.
    byId("cancel").focus();
  }

  begin() {
    this.stop = new AbortController();
    this.count = 0;
    this.keys = new Set();
    byId("submit").setAttribute("aria-disabled", "true");
    byId("cancel").hidden = false;
  }

  end() {
    this.stop = null;
    byId("submit").removeAttribute("aria-disabled");
    byId("status").textContent = this.count > 1 ? this.outcome() : "";
    this.tell();
    if (!byId("problem").hidden && !isAtWork()) goTo(byId("problem"));
    // A button that goes away loses the focus.
    if (document.activeElement === byId("cancel")) byId("submit").focus();
    byId("cancel").hidden = true;
  }

  async readOne(content) {
    const { signal } = this.stop;
    try {
      const response = await classify(content.request, signal, tellBusy);
      this.count += 1;
      this.keys.add(keyOf({ ...content, response }));
      this.onArticle({ ...content, response }, this.count === 1);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      // What else waits would fail in the same way, each after a time of its own.
      const others = signal.aborted || error instanceof Unreachable ? this.waiting.splice(0) : [];
      const message = signal.aborted ? "Not read: cancelled." : error.message;
      this.failures.push(...[content, ...others].map((one) => ({ content: one, message })));
    }
  }

  /** How many were read, and how many of them the shelf has in another's place. */
  outcome() {
    const twins = this.count - this.keys.size;
    const told = twins ? ` ${counted(twins, "article")} took the place of another with the same text.` : "";
    return `${counted(this.count, "article")} read.${told}`;
  }

  /** One sentence for each kind of failure, with the names of the documents. */
  tell() {
    const messages = [...new Set(this.failures.map((one) => one.message))];
    const told = messages.map((message) => {
      const names = this.failures.filter((one) => one.message === message).map((one) => one.content.title).filter(Boolean);
      return names.length ? `${listed(names, "and")}: ${message}` : message;
    });
    byId("problem").textContent = [...this.problems, ...told].join(" ");
    byId("problem").hidden = !byId("problem").textContent;
    byId("again").hidden = !this.failures.length;
    byId("again").textContent = `Try ${counted(this.failures.length, "article")} again`;
  }
}
