// What leaves the page: the curl command, the JSON, files.

/** A command that asks the service the same. The body goes by a here-document: no quoting, and no limit of the shell's. */
export function curlOf(request) {
  const url = new URL("classify", document.baseURI);
  return `curl -s '${url}' -H 'Content-Type: application/json' --data-binary @- <<'JSON'\n${JSON.stringify(request)}\nJSON`;
}

/** Copy, and say on the button whether it went well. Without HTTPS there is no clipboard: then the text is selected. */
export async function copyFrom(source, pressed) {
  const words = (pressed.dataset.words ??= pressed.textContent);
  try {
    await navigator.clipboard.writeText(source.textContent);
    pressed.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    pressed.textContent = document.execCommand("copy") ? "Copied" : "Selected: copy it by hand";
  }
  setTimeout(() => { pressed.textContent = words; }, 2000);
}

export function saveAs(name, content) {
  const url = URL.createObjectURL(new Blob([content], { type: "application/jsonl" }));
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
