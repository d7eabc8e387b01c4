// The four labels: their order, and how one looks and sounds. The signs are in results.css.
import { element } from "./dom.js";

export const LABELS = ["support", "boycott", "conditional", "none"];

export const percent = (share) => `${Math.round(100 * share)}%`;

/** A label with its sign. */
export const badge = (label, ...more) => element("span", { class: `badge sign ${label}` }, label, ...more);

/** "a, b or c". */
export function listed(words, last = "or") {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${last} ${words.at(-1)}`;
}

export const counted = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
