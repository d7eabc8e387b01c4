"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const LABELS = ["support", "boycott", "conditional", "none"];
const SIGNS = { support: "S", boycott: "B", conditional: "C", none: "·" };
const dark = matchMedia("(prefers-color-scheme: dark)");

function theme() {
  const [ink, soft, line] = dark.matches ? ["#e6e8ea", "#a5adb8", "#373d46"] : ["#1d2127", "#545b66", "#d3d1ca"];
  return {
    background: null,
    font: "system-ui, sans-serif",
    view: { stroke: null },
    axis: { labelColor: ink, titleColor: soft, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 12, labelPadding: 6 },
    axisY: { labelLimit: innerWidth < 700 ? 130 : 260 },
  };
}

function specOf(box) {
  const charts = data.charts[box.closest("[data-process]").dataset.process];
  if (box.dataset.chart) return charts[box.dataset.chart];
  const actor = box.closest("details").querySelector("summary bdi").textContent;
  return { ...charts.line, description: `${charts.line.description}: ${actor}`, data: { values: charts.points[box.dataset.actor] } };
}

async function draw(box) {
  box.drawn = true;
  const spec = specOf(box);
  const actions = { export: true, source: false, compiled: false, editor: false };
  await vegaEmbed(box, spec, {
    renderer: "svg",
    actions: box.classList.contains("line") ? false : actions,
    config: theme(),
    tooltip: { theme: dark.matches ? "dark" : "light" },
  });
  // A drawing has one name; its parts, a hundred and more, are read in the table below it.
  const drawing = box.querySelector("svg.marks");
  for (const part of drawing.children) part.setAttribute("aria-hidden", "true");
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", spec.description);
  box.querySelector("summary")?.setAttribute("aria-label", `Save the chart: ${spec.description}`);
}

function make(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// What can be pointed at in a chart, for those who do not point: the fields of its tooltips, a row for each mark.
function tableOf(spec) {
  const fields = spec.layer[0].encoding.tooltip.map((one) => one.field);
  const [table, head, body] = ["table", "thead", "tbody"].map((name) => make(name, ""));
  head.append(make("tr", ""));
  head.firstChild.append(...fields.map((field) => make("th", field, { scope: "col" })));
  body.append(...spec.data.values.map((value) => {
    const tr = make("tr", "");
    tr.append(...fields.map((field) => make("td", value[field], { dir: "auto" })));
    return tr;
  }));
  table.append(make("caption", spec.description, { class: "hidden" }), head, body);
  return table;
}

for (const box of document.querySelectorAll(".chart")) {
  const details = make("details", "", { class: "facts" });
  details.append(make("summary", "As a table"));
  details.addEventListener("toggle", () => {
    const area = make("div", "", { class: "wide", tabindex: 0, role: "region", "aria-label": specOf(box).description });
    area.append(tableOf(specOf(box)));
    details.append(area);
  }, { once: true });
  (box.closest(".wide") ?? box).after(details);
}

// What is folded away has no width to be drawn at, and there may be hundreds: it is drawn when it is opened.
function drawShown() {
  for (const box of document.querySelectorAll(".chart")) {
    if (!box.drawn && !box.closest("[hidden], details:not([open])")) draw(box);
  }
}
for (const details of document.querySelectorAll("details")) details.addEventListener("toggle", drawShown);
dark.addEventListener("change", () => {
  for (const box of document.querySelectorAll(".chart")) box.drawn = false;
  drawShown();
});

document.getElementById("process")?.addEventListener("change", (event) => {
  for (const section of document.querySelectorAll("[data-process]")) {
    section.hidden = section.dataset.process !== event.target.value;
  }
  drawShown();
});

for (const button of document.querySelectorAll("[data-file]")) {
  button.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([data.files[button.dataset.file]], { type: "application/octet-stream" }));
    link.download = button.dataset.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

function startTable() {
  const PAGE = 50;
  const { documents, actors, processes, rows } = data.table;
  const order = new Intl.Collator("en", { numeric: true });
  const columns = [
    { title: "date", of: (row) => documents[row[0]][2], kind: "nowrap" },
    { title: "document", of: (row) => documents[row[0]][1] || documents[row[0]][0], kind: "document" },
    ...(processes.length > 1 ? [{ title: "process", of: (row) => processes[row[1]] }] : []),
    { title: "actor", of: (row) => actors[row[2]] },
    { title: "stance", of: (row) => LABELS[row[3]], kind: "nowrap" },
    { title: "probability", of: (row) => row[4].toFixed(2), kind: "number" },
    { title: "may also be", of: (row) => row[6].map((label) => LABELS[label]).join(", ") },
    { title: "sentence", of: (row) => row[5] },
  ];
  const texts = rows.map((row) => [...columns.map((one) => one.of(row)), documents[row[0]][0]].join("\n").toLowerCase());
  const byId = (id) => document.getElementById(id);
  const [head, body] = [document.querySelector("#table thead tr"), document.querySelector("#table tbody")];
  const [search, stance, unsure] = [byId("search"), byId("stance"), byId("unsure")];
  let found = [], page = 0, sorted = null, direction = 1;

  function find() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = stance.value;
    found = [];
    rows.forEach((row, index) => {
      if (wanted !== "" && row[3] !== Number(wanted)) return;
      if (unsure.checked && !row[6].length) return;
      if (words.every((word) => texts[index].includes(word))) found.push(index);
    });
    if (sorted) {
      const keys = new Map(found.map((index) => [index, sorted.of(rows[index])]));
      found.sort((a, b) => direction * order.compare(keys.get(a), keys.get(b)) || a - b);
    }
    page = 0;
    show();
  }

  function cell(column, row) {
    const td = document.createElement("td");
    td.className = column.kind ?? "";
    td.dataset.label = column.title;
    const value = column.of(row);
    if (column.title === "stance") {
      const sign = document.createElement("span");
      sign.className = `sign ${value}`;
      sign.setAttribute("aria-hidden", "true");
      sign.textContent = SIGNS[value];
      td.append(sign, value);
    } else if (value) {
      const text = document.createElement("bdi");
      text.textContent = value;
      if (column.kind === "document") td.title = value;
      td.append(text);
    }
    return td;
  }

  function show() {
    const shown = found.slice(page * PAGE, (page + 1) * PAGE);
    body.replaceChildren(...shown.map((index) => {
      const tr = document.createElement("tr");
      tr.append(...columns.map((column) => cell(column, rows[index])));
      return tr;
    }));
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    byId("found").textContent = `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
    byId("where").textContent = `page ${page + 1} of ${pages}`;
    // Not disabled: a button that is loses the focus.
    byId("back").setAttribute("aria-disabled", page === 0);
    byId("next").setAttribute("aria-disabled", page + 1 >= pages);
  }

  function turn(button, step) {
    if (button.getAttribute("aria-disabled") === "true") return;
    page += step;
    show();
  }

  for (const column of columns) {
    const th = document.createElement("th");
    const button = document.createElement("button");
    th.scope = "col";
    button.type = "button";
    button.textContent = column.title;
    button.addEventListener("click", () => {
      direction = sorted === column ? -direction : 1;
      sorted = column;
      for (const other of head.children) other.removeAttribute("aria-sort");
      th.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      find();
    });
    th.append(button);
    head.append(th);
  }
  search.addEventListener("input", find);
  for (const filter of [stance, unsure]) filter.addEventListener("change", find);
  byId("back").addEventListener("click", (event) => turn(event.currentTarget, -1));
  byId("next").addEventListener("click", (event) => turn(event.currentTarget, 1));
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  find();
}
if (document.getElementById("table")) startTable();
drawShown();
