// Talks to the service, and reads files.

/** A refusal of the service's, or a request that did not reach it; its message is for people. */
export class Refused extends Error {}

const wait = (seconds) => new Promise((done) => { setTimeout(done, 1000 * seconds); });

/** Classify one document; a full queue is waited for. */
export async function classify(request, tries = 5) {
  let answer;
  try {
    answer = await fetch("classify", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request),
    });
  } catch {
    throw new Refused("The service does not answer. Is it running?");
  }
  if (answer.status === 429 && tries > 1) {
    await wait(Number(answer.headers.get("Retry-After")) || 1);
    return classify(request, tries - 1);
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  throw new Refused(body?.error?.message ?? `The service answered with status ${answer.status}.`);
}

export async function loadProcesses() {
  const answer = await fetch("page/processes.json");
  return answer.ok ? answer.json() : [];
}

// `stance batch` reads dates in the same way: serving/texts.py.
const DATE = /(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)/;

/** The date if there is such a day, else empty; the 30th of February would be taken for a day of March. */
const validDate = (date) => (date && new Date(date).toJSON()?.startsWith(date) ? date : "");

// What may stand before the first tag of a web page, and that tag, as in serving/texts.py.
const PROLOGUE = /\s+|<!--[^]*?-->|<\?xml[^>]*>/iy;
const FIRST_TAG = /<(?:!doctype\s+html|html)\b/iy;

/** Whether a text is the source of a web page, by its first 4096 characters. */
export function isWebPage(text) {
  const head = text.slice(0, 4096);
  PROLOGUE.lastIndex = FIRST_TAG.lastIndex = 0;
  while (PROLOGUE.test(head)) FIRST_TAG.lastIndex = PROLOGUE.lastIndex;
  return FIRST_TAG.test(head);
}

/** A text file as `{text, title, date}`; the date is that of its name, or of a first line such as "date 2018-01-31". */
export async function readFile(file) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Refused(`${file.name} is not a text file in UTF-8.`);
  }
  if (text.includes("\0")) throw new Refused(`${file.name} is not a text file.`);
  if (isWebPage(text)) {
    throw new Refused(`${file.name} is a web page, whose tags would be read as words. Save it as text, `
      + "or read it with “stance classify” or “stance batch”, which take web pages.");
  }
  const named = file.name.replace(/\.\w+$/, "");
  const date = validDate(DATE.exec(named)?.[1]);
  const title = (date ? named.replace(date, "") : named).replace(/^[\s_.-]+|[\s_.-]+$/g, "");
  return { ...fromText(text), title: title || named, ...(date && { date }) };
}

/** Line breaks as a text field has them, and the date that the text begins with. */
export function fromText(text) {
  const tidy = text.replace(/\r\n?/g, "\n");
  return { text: tidy, title: "", date: validDate(/^\s*date:?\s+(\d{4}-\d{2}-\d{2})(?!\d)/i.exec(tidy)?.[1]) };
}
