// Reads files: text files in the encodings that occur, with the date and the title of their names.
import { Refused } from "./service.js";

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

const PASTE = "Open it and paste its text";
const isWordProcessors = (name) => /\.(docx?|odt|rtf|pages)$/i.test(name);

/** The text of a file: in UTF-16 where it says so, else in UTF-8, or in Windows-1252 if it is not that. */
function decode(bytes) {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

/** A text file as `{text, title, date}`; the date is that of its name, or of a first line such as "date 2018-01-31". */
export async function readFile(file) {
  if (isWordProcessors(file.name)) throw new Refused(`${file.name} is no plain text. ${PASTE}.`);
  const text = decode(new Uint8Array(await file.arrayBuffer()));
  if (text.startsWith("%PDF-")) {
    throw new Refused(`${file.name} is a PDF. ${PASTE}, or read it with “stance classify”, which takes PDFs.`);
  }
  if (text.includes("\0")) throw new Refused(`${file.name} is not a text file. ${PASTE}, if it has any.`);
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
