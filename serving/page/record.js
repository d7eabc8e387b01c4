// Corrections as records of the corpus (training/corpus.py), and what such a record may not hold.

export const PRONOUNS = new Set(
  "he she it they we i you his her its their our my who him them us".split(" "));

/** Whether the text has the name as whole words, as the corpus asks. */
export function hasWords(text, name) {
  const escaped = name.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  return new RegExp(`(?<![\\p{L}\\p{N}_])${escaped}(?![\\p{L}\\p{N}_])`, "u").test(text);
}

/** A judgement as the model gave it, `checked` when a reader said that it holds. */
export function judgementOf(actor, checked = false) {
  const strings = (places) => [...new Set(places.map((place) => place.text))];
  return {
    actor: actor.actor, label: actor.stance, mentions: strings(actor.mentions),
    evidence: actor.stance === "none" ? [] : strings(actor.evidence), checked, dropped: false,
  };
}

/** All judgements of an article: the model's, those that were checked in their places, and those that were added. */
export function judgementsOf(article) {
  const judged = article.response.actors.map((one) => article.checks.get(one.actor) ?? judgementOf(one));
  const names = new Set(judged.map((one) => one.actor));
  return [...judged, ...[...article.checks.values()].filter((one) => !names.has(one.actor))];
}

/**
 * The actors of an article as they stand: `{name, label, check, actor, index}`.
 *
 * `label` is the reader's where there is a `check`, null for what is no actor, else the model's; `actor` and `index`
 * are the model's, null and -1 for one that a reader added.
 */
export function standingsOf({ response, checks }) {
  const names = response.actors.map((one) => one.actor);
  const added = [...checks.keys()].filter((name) => !names.includes(name));
  return [...names, ...added].map((name, place) => {
    const check = checks.get(name) ?? null;
    const actor = response.actors[place] ?? null;
    const label = check ? (check.dropped ? null : check.label) : actor.stance;
    return { name, label, check, actor, index: actor ? place : -1 };
  });
}

/**
 * What is wrong with a judgement: `{part, words}`, `part` being the property at fault; null if nothing is.
 *
 * `others` are the article's other judgements.
 */
export function faultOf(text, judgement, others) {
  const fault = (part, words) => ({ part, words });
  if (judgement.dropped) return null;
  if (!judgement.actor) return fault("actor", "Give the actor a name.");
  if (others.some((one) => one.actor === judgement.actor)) return fault("actor", `“${judgement.actor}” is listed already.`);
  if (!judgement.mentions.length) return fault("mentions", "Give at least one name that the text uses for this actor.");
  for (const name of judgement.mentions) {
    if (PRONOUNS.has(name.toLowerCase()) && name !== "US") return fault("mentions", `“${name}” is a pronoun; give a name.`);
    if (!hasWords(text, name)) return fault("mentions", `The text does not have “${name}” as whole words.`);
    const owner = others.find((one) => one.checked && !one.dropped && one.mentions.includes(name));
    if (owner) return fault("mentions", `“${name}” names ${owner.actor} already.`);
  }
  if (!judgement.label) return fault("label", "Choose a stance.");
  if (judgement.label !== "none" && !judgement.evidence.length) return fault("evidence", "Say which words of the text show the stance.");
  const strange = judgement.evidence.find((one) => !text.includes(one));
  return strange ? fault("evidence", `The text does not have these words: “${strange}”.`) : null;
}

/** The actors of a record. A name belongs to one actor only, first to a checked one; unchecked actors are ambiguous. */
export function actorsOf(article) {
  const kept = judgementsOf(article).filter((one) => !one.dropped);
  const owners = new Map();
  const ordered = [...kept.filter((one) => one.checked), ...kept.filter((one) => !one.checked)];
  const seen = new Set();
  return ordered.flatMap(({ actor, label, mentions, evidence, checked }) => {
    const own = mentions.filter((name) => (owners.get(name) ?? actor) === actor
      && (checked || !faultOf(article.text, { actor, label: "none", mentions: [name], evidence: [] }, [])));
    if (seen.has(actor) || !own.length) return [];
    seen.add(actor);
    own.forEach((name) => owners.set(name, actor));
    return [{ actor, mentions: own, label, evidence, ...(checked ? {} : { ambiguous: true }) }];
  });
}

/** A number that is the text's own (cyrb53). In decimals: an id that ends in b would be taken for a twin. */
function digestOf(text) {
  let [high, low] = [0xdeadbeef, 0x41c6ce57];
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 2654435761);
    low = Math.imul(low ^ unit, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}

export const idOf = (text) => `page-${digestOf(text)}`;

/**
 * Corrected articles as JSONL, and those that had to be left out: the format takes a text on two processes at most.
 * The line separators that JSON leaves as they are get escaped, since readers may split lines there.
 */
export function toJsonLines(articles, register) {
  const [lines, leftOut, uses] = [[], [], new Map()];
  for (const article of articles.filter((one) => one.checks.size)) {
    const actors = actorsOf(article);
    const use = uses.get(article.text) ?? 0;
    if (use > 1 || !actors.length) {
      leftOut.push(article);
      continue;
    }
    uses.set(article.text, use + 1);
    const id = `${idOf(article.text)}${use ? "b" : ""}`;
    const process = article.response.process.name;
    const record = { id, register, process, text: article.text, tags: [], split: "train", actors };
    lines.push(JSON.stringify(record).replace(/[\u0085\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`));
  }
  return { text: lines.map((line) => `${line}\n`).join(""), count: lines.length, leftOut };
}
