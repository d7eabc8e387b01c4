// Talks to the service.

/** A refusal of the service's, or a request that did not reach it; its message is for people. */
export class Refused extends Error {}

/** A service that does not answer at all. */
export class Unreachable extends Refused {}

const wait = (seconds, signal) => new Promise((done) => {
  setTimeout(done, 1000 * seconds);
  signal.addEventListener("abort", done);
});

const SILENT = "The service does not answer. Is it running?";

/** Seconds that an answer is waited for where the service does not tell how long it may take. */
const DEFAULT_PATIENCE = 60;
let told = null;

/** Seconds after which an answer will not come any more: somewhat more than the service may take. */
async function loadPatience() {
  if (told === null) {
    const answer = await fetch("page/limits.json");
    const limits = answer.ok ? await answer.json().catch(() => null) : null;
    told = Number.isFinite(limits?.longest_answer) ? limits.longest_answer : null;
  }
  return told === null ? DEFAULT_PATIENCE : 10 + told;
}

/** Classify one document, unless `signal` stops it; a full queue is waited for, after `onBusy(seconds)`. */
export async function classify(request, signal, onBusy, tries = 5) {
  let [answer, patience] = [null, DEFAULT_PATIENCE];
  try {
    patience = await loadPatience();
    answer = await fetch("classify", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request),
      // Browsers from before 2024 have no `any`: there a reading ends by Cancel alone.
      signal: AbortSignal.any?.([signal, AbortSignal.timeout(1000 * patience)]) ?? signal,
    });
  } catch (error) {
    if (error.name === "TimeoutError") throw new Refused(`No answer came within ${Math.round(patience)} seconds.`);
    throw new Unreachable(SILENT);
  }
  if (answer.status === 429 && tries > 1) {
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    onBusy(seconds);
    await wait(seconds, signal);
    return classify(request, signal, onBusy, tries - 1);
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  throw new Refused(body?.error?.message ?? `The service answered with status ${answer.status}.`);
}

/** The text of the example. */
export async function loadExample() {
  const answer = await fetch("page/example.txt").catch(() => null);
  if (answer?.ok) return answer.text();
  throw answer ? new Refused(`The service answered with status ${answer.status}.`) : new Unreachable(SILENT);
}

export async function loadProcesses() {
  const answer = await fetch("processes");
  return answer.ok ? (await answer.json()).processes : [];
}
