"use strict";
const PAGE = 25;
const byId = (id) => document.getElementById(id);
const FILTERS = {
  split: (record, wanted) => record.split === wanted,
  process: (record, wanted) => record.kind === wanted,
  register: (record, wanted) => record.register === wanted,
  label: (record, wanted) => record.actors.some((actor) => actor.label === wanted),
  tag: (record, wanted) => record.tags.includes(wanted),
};
let records = [], haystacks = [], found = [], page = 0;

async function unpack() {
  const letters = atob(byId("packed").textContent), bytes = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place += 1) bytes[place] = letters.charCodeAt(place);
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).json();
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function haystack(record) {
  return [record.id, record.process, record.text, ...record.actors.map((actor) => actor.actor)].join("\n").toLowerCase();
}

function find() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = Object.keys(FILTERS).map((name) => [FILTERS[name], byId(name).value]).filter(([, value]) => value);
  found = records.filter((record, index) =>
    wanted.every(([keeps, value]) => keeps(record, value)) && words.every((word) => haystacks[index].includes(word)));
  show(0);
}

function show(number) {
  page = number;
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  byId("list").replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(row));
  byId("found").textContent = `${found.length.toLocaleString("en")} of ${records.length.toLocaleString("en")} records`;
  byId("where").textContent = `page ${page + 1} of ${pages}`;
  // Not disabled: a button that is loses the focus.
  for (const id of ["back", "back2"]) byId(id).setAttribute("aria-disabled", page === 0);
  for (const id of ["next", "next2"]) byId(id).setAttribute("aria-disabled", page + 1 >= pages);
}

function row(record) {
  const details = make("details", "record");
  const summary = make("summary"), head = make("span", "head"), signs = make("span");
  for (const label of ["support", "boycott", "conditional", "none"]) {
    const count = record.actors.filter((actor) => actor.label === label).length;
    if (!count) continue;
    const sign = make("span", `sign ${label}`, ` ${count} `);
    sign.title = label;
    signs.append(sign);
  }
  head.append(make("b", "", record.id), make("span", "", record.split), make("span", "", record.register), make("span", "", record.process), signs);
  summary.append(head, make("p", "snippet", record.text.slice(0, 300)));
  details.append(summary);
  details.addEventListener("toggle", () => { if (details.open && details.childElementCount === 1) fill(details, record); });
  return details;
}

function fill(details, record) {
  const text = make("p", "text");
  text.append(...marked(record));
  const list = make("ul", "actors");
  record.actors.forEach((actor, index) => {
    const item = make("li"), button = make("button", "");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.append(make("span", `sign ${actor.label}`, ""), ` ${actor.actor}: ${actor.label}${remarks(actor)}`);
    button.addEventListener("click", () => choose(details, button, index));
    item.append(button);
    list.append(item);
  });
  details.append(text, list);
  if (record.tags.length) details.append(make("p", "soft", `Tags: ${record.tags.join(", ")}`));
  if (record.source) details.append(make("p", "soft", `Retold from ${record.source.outlet}, ${record.source.date}: ${record.source.url}`));
}

function remarks(actor) {
  const told = [];
  if (actor.ambiguous) told.push(actor.label2 ? `or ${actor.label2}` : "ambiguous");
  if (actor.readings) told.push(`read ${actor.readings.join(", ")}`);
  return told.length ? ` (${told.join("; ")})` : "";
}

// Shows only the mentions and the evidence of one actor; once more shows all again.
function choose(details, button, index) {
  const pressed = button.getAttribute("aria-pressed") !== "true";
  for (const other of details.querySelectorAll("[aria-pressed]")) other.setAttribute("aria-pressed", String(pressed && other === button));
  details.classList.toggle("chosen", pressed);
  for (const piece of details.querySelectorAll("[data-of]")) piece.classList.toggle("on", pressed && piece.dataset.of.split(" ").includes(String(index)));
}

// Every place of the string; whole words only for names.
function places(text, string, whole) {
  const letter = /[\p{L}\p{N}_]/u, spans = [];
  for (let start = text.indexOf(string); start >= 0; start = text.indexOf(string, start + 1)) {
    const end = start + string.length;
    if (!whole || !(letter.test(text[start - 1] ?? " ") || letter.test(text[end] ?? " "))) spans.push([start, end]);
  }
  return spans;
}

// Mentions, a longer name before one that it contains.
function mentions(record) {
  const all = record.actors.flatMap((actor, index) => actor.mentions.flatMap((name) => places(record.text, name, true).map((span) => [...span, index])));
  all.sort((a, b) => b[1] - b[0] - (a[1] - a[0]));
  const kept = [];
  for (const one of all) if (!kept.some((other) => one[0] < other[1] && other[0] < one[1])) kept.push(one);
  return kept;
}

function marked(record) {
  const { text, actors } = record;
  const names = mentions(record);
  const proofs = actors.flatMap((actor, index) => actor.evidence.flatMap((string) => places(text, string, false).map((span) => [...span, index])));
  const cuts = [...new Set([0, text.length, ...[...names, ...proofs].flatMap(([start, end]) => [start, end])])].sort((a, b) => a - b);
  return cuts.slice(0, -1).map((start, place) => {
    const piece = text.slice(start, cuts[place + 1]);
    const name = names.find((one) => one[0] <= start && start < one[1]);
    const shown = [...new Set(proofs.filter((one) => one[0] <= start && start < one[1]).map((one) => one[2]))];
    return proven(named(piece, name, start, actors), shown, actors);
  });
}

function named(piece, name, start, actors) {
  if (!name) return document.createTextNode(piece);
  const element = make("span", `mention ${actors[name[2]].label}${name[0] === start ? "" : " rest"}`, piece);
  element.title = `${actors[name[2]].actor}: ${actors[name[2]].label}`;
  element.dataset.of = name[2];
  return element;
}

function proven(node, shown, actors) {
  if (!shown.length) return node;
  const mark = make("mark", actors[shown[0]].label);
  mark.title = `evidence: ${shown.map((index) => `${actors[index].actor} ${actors[index].label}`).join("; ")}`;
  mark.dataset.of = shown.join(" ");
  mark.append(node);
  return mark;
}

// A link to one record, #id=…, puts its id into the search and opens it.
function follow() {
  if (!location.hash.startsWith("#id=")) return;
  const id = decodeURIComponent(location.hash.slice(4));
  byId("filters").reset();
  byId("search").value = id;
  find();
  const place = found.findIndex((record) => record.id === id);
  if (place >= 0) {
    show(Math.floor(place / PAGE));
    byId("list").children[place % PAGE].open = true;
  }
  byId("list").scrollIntoView();
}

async function start() {
  records = await unpack();
  haystacks = records.map(haystack);
  let waiting;
  byId("search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(find, 120); });
  for (const name of Object.keys(FILTERS)) byId(name).addEventListener("change", find);
  for (const id of ["back", "back2"]) byId(id).addEventListener("click", (event) => turn(event.currentTarget, -1));
  for (const id of ["next", "next2"]) byId(id).addEventListener("click", (event) => turn(event.currentTarget, 1));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", follow);
  find();
  follow();
}

function turn(button, step) {
  if (button.getAttribute("aria-disabled") === "true") return;
  show(page + step);
  byId("records").scrollIntoView();
}

start();
