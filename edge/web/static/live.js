// Keeps the parts of a page marked `data-live` up to date, and says so when it cannot.
//
// The service sends a `change` event when anything moved, and a beat every 5 s. At a change the page is fetched again
// and its live parts are exchanged by id (or, where a part says `reload`, the page is loaded anew): the server renders everything, once, in one place.

const BEAT_LIMIT_MS = 12_000;
const LOOK_AGAIN_MS = document.body.classList.contains("home") ? 1000 : 3000;

let heardAt = performance.now();
let heardUtc = new Date().toISOString();
let waiting = false;
let lastLookAt = performance.now();
let heardFirst = false;
let signedOut = false;

function markLost(lost) {
  const root = document.documentElement;
  if (root.classList.contains("stale") === lost) return;
  root.classList.toggle("stale", lost);
  document.getElementById("lost").hidden = !lost;
  document.getElementById("lost-since").textContent = `${heardUtc.slice(0, 10)} ${heardUtc.slice(11, 19)}Z`;
}

function heard(utc) {
  heardAt = performance.now();
  heardUtc = utc;
  markLost(false);
  markSignedOut(false);
}

/** The service answers, but to nobody: said on the page, which stays as it is with everything that was typed. */
function markSignedOut(out) {
  if (signedOut !== out) document.dispatchEvent(new CustomEvent("signedoutchange", { detail: out }));
  signedOut = out;
  if (out) markLost(false);
  const note = document.getElementById("signed-out");
  note.hidden = !out;
  note.querySelector("a").href = `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
}

/** Why the stream ended: signed out (or the role was taken away), or the service is not there. */
async function askWhy() {
  try {
    const answer = await fetch("/api/me", { headers: { "x-live": "1" }, signal: AbortSignal.timeout(BEAT_LIMIT_MS) });
    if (answer.status === 401) markSignedOut(true);
  } catch {
    // The beat that stays away says it: markLost.
  }
}

/** A selector that finds the focused link or field again after its part was exchanged. */
function focusIn(part) {
  const active = document.activeElement;
  if (!active || !part.contains(active)) return null;
  if (active.id) return `#${CSS.escape(active.id)}`;
  return active.hasAttribute("href") ? `[href="${CSS.escape(active.getAttribute("href"))}"]` : active.localName;
}

function exchange(page) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (!fresh || fresh.innerHTML === part.innerHTML) continue;
    if (part.dataset.live === "reload") {
      location.reload(); // more of this page than its live parts has changed
      return;
    }
    const focused = focusIn(part);
    for (const picture of fresh.querySelectorAll("img")) {
      const shown = part.querySelector(`img[src="${CSS.escape(picture.getAttribute("src"))}"]`);
      if (shown) picture.replaceWith(shown); // it need not load again
    }
    part.replaceWith(fresh);
    if (focused) fresh.querySelector(focused)?.focus({ preventScroll: true });
  }
}

async function look() {
  if (waiting || document.hidden) return;
  waiting = true;
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, LOOK_AGAIN_MS - (performance.now() - lastLookAt))));
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html", "x-live": "1" }, redirect: "manual", signal: AbortSignal.timeout(BEAT_LIMIT_MS) });
    if (answer.ok) exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The beat that stays away says it: markLost.
  } finally {
    waiting = false;
    lastLookAt = performance.now();
  }
}

function listen() {
  const source = new EventSource("/api/events");
  source.addEventListener("change", (event) => {
    heard(JSON.parse(event.data).at_utc);
    if (heardFirst) look();
    heardFirst = true;
  });
  source.addEventListener("error", () => {
    askWhy();
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  });
  return source;
}

/** Any request of a page's scripts that is answered "sign in first" is told the same way, with the link that leads there and back. */
const plainFetch = window.fetch.bind(window);
window.fetch = async (...asked) => {
  const answer = await plainFetch(...asked);
  if (answer.status === 401) markSignedOut(true);
  return answer;
};

listen();
setInterval(() => markLost(!signedOut && performance.now() - heardAt > BEAT_LIMIT_MS), 1000);
document.addEventListener("visibilitychange", look);
