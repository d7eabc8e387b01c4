// The form: what is to be read, toward which process, and from where it comes.
import { byId, element } from "./dom.js";
import { fromText, readFile } from "./files.js";
import { Reading } from "./reading.js";
import { loadExample, loadProcesses } from "./service.js";

const MAX_LENGTH = 50_000;
const OWN = "";
const codePoints = (text) => {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
};
const commas = (text) => text.split(",").map((name) => name.trim()).filter(Boolean);

/** How many characters two texts share at their beginnings and ends. */
function sharedBy(a, b) {
  const least = Math.min(a.length, b.length);
  let [start, end] = [0, 0];
  while (start < least && a[start] === b[start]) start += 1;
  while (end < least - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  return start + end;
}

/** Whether one text took another's place: an edited text keeps at least a tenth of it. */
const isReplaced = (before, after) => Boolean(before.trim()) && sharedBy(before, after) < before.length / 10;

/**
 * Wires the form; `onArticle(article, isFirst)` takes each document that was read, as `Reading` has it, and `onText()`
 * is called when the text is another.
 */
export class ArticleForm {
  constructor(onArticle, onText) {
    this.reading = new Reading(onArticle);
    this.onText = onText;
    this.faulty = null;
    byId("form").addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    byId("example").addEventListener("click", () => this.example());
    byId("files").addEventListener("change", (event) => this.take([...event.target.files]));
    byId("new").addEventListener("click", () => this.clear());
    byId("text").addEventListener("input", () => this.change());
    byId("process").addEventListener("change", () => this.showOwn());
    byId("process-name").addEventListener("input", () => this.mend(byId("process-name")));
    this.acceptDrops();
    this.know();
    // Browsers put back the text that a page had, some of them only after its scripts began.
    addEventListener("pageshow", () => this.know());
    this.ready = this.listProcesses();
  }

  async listProcesses() {
    const known = await loadProcesses().catch(() => []);
    if (known.length) byId("process").replaceChildren(...known.map(({ key, name }) => element("option", { value: key }, name)));
    byId("process").append(element("option", { value: OWN }, "Another…"));
  }

  showOwn() {
    byId("own-process").hidden = byId("process").value !== OWN;
    this.mend(byId("process-name"));
  }

  acceptDrops() {
    const holds = (event) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragover", (event) => { if (holds(event)) { event.preventDefault(); byId("drop").hidden = false; } });
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) byId("drop").hidden = true; });
    addEventListener("drop", (event) => {
      byId("drop").hidden = true;
      if (!holds(event)) return;
      event.preventDefault();
      this.take([...event.dataTransfer.files]);
    });
  }

  async example() {
    try {
      this.fill({ ...fromText(await loadExample()), title: "The Sochi congress ends" });
    } catch (error) {
      return this.tell(error.message);
    }
    return byId("text").focus();
  }

  clear() {
    this.fill({ text: "", title: "", date: "" });
    byId("cleared").hidden = true;
    byId("text").focus();
  }

  fill({ text, title, date }) {
    byId("text").value = text;
    this.change();
    byId("title").value = title;
    byId("date").value = date;
    this.mend();
    this.tell(null);
  }

  /** A text that takes another's place takes no title, date or actors from it. */
  change() {
    const text = byId("text").value;
    const filled = ["title", "date", "actors"].map(byId).filter((control) => control.value);
    const isOld = filled.length > 0 && isReplaced(this.text, text);
    if (isOld) {
      filled.forEach((control) => { control.value = ""; });
      byId("cleared").hidden = false;
    }
    this.mend(byId("text"));
    this.know();
    this.onText();
  }

  /** Take the text that stands in the field for the form's own. */
  know() {
    this.text = byId("text").value;
    this.count();
  }

  /** Whether the form has a text, and it is not an article's. */
  isOther(article) {
    return Boolean(this.text.trim()) && (this.text.toWellFormed?.() ?? this.text) !== article.text;
  }

  count() {
    const length = codePoints(byId("text").value);
    const isLong = length > MAX_LENGTH;
    byId("count").textContent = `${length.toLocaleString("en")} of 50,000 characters${isLong ? ": too long, read it in parts" : ""}`;
    byId("text").setAttribute("aria-invalid", String(isLong));
  }

  /** One file fills the form; several are read one after the other. */
  async take(files) {
    byId("files").value = "";
    const [read, problems] = [[], []];
    for (const file of files) {
      try {
        read.push(await readFile(file));
      } catch (error) {
        problems.push(error.message);
      }
    }
    if (files.length === 1 && read.length) return this.fill(read[0]);
    this.mend();
    return this.reading.add(read.map((one) => this.document(one)), problems);
  }

  submit() {
    if (this.reading.isBusy) return null;
    this.mend();
    byId("cleared").hidden = true;
    const content = { text: byId("text").value, title: byId("title").value.trim(), date: byId("date").value };
    if (!content.text.trim()) return this.fail("Paste an article first.", byId("text"));
    if (codePoints(content.text) > MAX_LENGTH) return this.fail("The text is longer than 50,000 characters; read it in parts.", byId("text"));
    if (byId("process").value === OWN && !byId("process-name").value.trim()) return this.fail("Name the process.", byId("process-name"));
    return this.reading.add([this.document(content)]);
  }

  document(content) {
    const request = this.request(content);
    return { ...content, text: request.text, request };
  }

  request({ text, title, date }) {
    const actors = byId("actors").value.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
      const [name, ...rest] = line.split("=");
      return rest.length ? { name: name.trim(), aliases: commas(rest.join("=")) } : name;
    });
    const own = { name: byId("process-name").value.trim(), aliases: commas(byId("process-aliases").value) };
    return {
      text: text.toWellFormed?.() ?? text, process: byId("process").value || own,
      ...(actors.length && { actors }), ...(title && { title }), ...(date && { date }),
    };
  }

  fail(words, control) {
    this.faulty = control;
    this.tell(words);
    control.setAttribute("aria-invalid", "true");
    control.focus();
  }

  /** Take back what was said of the faulty field, if it is this one. */
  mend(control = this.faulty) {
    if (!this.faulty || control !== this.faulty) return;
    this.faulty = null;
    this.tell(null);
    control.removeAttribute("aria-invalid");
  }

  tell(words) {
    byId("problem").textContent = words ?? "";
    byId("problem").hidden = !words;
  }
}
