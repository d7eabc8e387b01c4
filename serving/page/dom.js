// Elements without markup: nothing of a text is ever taken for HTML.

export const byId = (id) => document.getElementById(id);

/** An element. Functions are listeners, `true` is a bare attribute; `null` and `false` leave an attribute out. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

export const button = (words, onclick, attributes = {}) =>
  element("button", { type: "button", ...attributes, click: onclick }, words);

/** A field and its label; `control` gets an id if it has none. */
export function field(words, control, hint = null) {
  control.id ||= `field-${(field.count = (field.count ?? 0) + 1)}`;
  return element("div", { class: "field" }, element("label", { for: control.id }, words), control,
    hint && element("p", { class: "hint" }, hint));
}

export const quietly = matchMedia("(prefers-reduced-motion: reduce)");

/** Scroll there and move the focus there, so that a screen reader goes along. */
export function goTo(target, block = "center") {
  target.scrollIntoView({ block, behavior: quietly.matches ? "auto" : "smooth" });
  target.focus({ preventScroll: true });
}
