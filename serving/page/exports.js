// What leaves the page: the curl command, copies, files.
import { element } from "./dom.js";

/** A command that asks the service the same. The body goes by a here-document: no quoting, and no limit of the shell's. */
export function curlOf(request) {
  const url = new URL("classify", document.baseURI);
  return `curl -s '${url}' -H 'Content-Type: application/json' --data-binary @- <<'JSON'\n${JSON.stringify(request)}\nJSON`;
}

/** Copy, and say beside the button whether it went well. Without HTTPS there is no clipboard: then a field is copied from. */
export async function copyFrom(words, pressed) {
  const isCopied = await navigator.clipboard?.writeText(words).then(() => true, () => false);
  const said = pressed.parentElement.querySelector("[role=status]");
  said.textContent = isCopied || copyByField(words) ? "Copied." : "Could not be copied.";
  pressed.focus();
  setTimeout(() => { said.textContent = ""; }, 5000);
}

function copyByField(words) {
  const field = document.body.appendChild(element("textarea", { readonly: true }));
  field.value = words;
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  return isCopied;
}

export function saveAs(name, content, type = "application/jsonl") {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
