// How it stands with keeping the count, in the bar; and where something is to be done, a line across the page with a way to do it.

const WORDS = { good: null, away: "no link", signed_out: "signed out", ended: "ended", conflict: "saved; choose" };

const find = (id) => document.getElementById(id);

export function signInAddress() {
  return `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
}

/** A word over the picture, for a while. */
export function hint(words, lasting = 2500) {
  find("hint").textContent = words;
  clearTimeout(hint.timer);
  hint.timer = setTimeout(() => (find("hint").textContent = ""), lasting);
}

function part(tag, text, more = {}) {
  const made = Object.assign(document.createElement(tag), more);
  made.textContent = text;
  return made;
}

/** What stands in the line for each kind; `acts` says whether something is in this browser only. */
function line(kind, words, acts, station) {
  const kept = acts ? "What you did since is kept in this browser. " : "";
  if (kind === "signed_out") {
    const next = part("a", "Sign in again", { href: signInAddress(), id: "sign-in-again" });
    return [part("span", `SIGNED OUT. ${kept}`), next, part("span", "You come back to this very still, and it is saved.")];
  }
  if (kind === "other") {
    return [part("span", `${words} signed in here in another tab, so this count cannot be saved. ${kept}Sign ${words} out there and sign in yourself: it goes on by itself.`)];
  }
  if (kind === "ended") {
    const lost = acts ? " What this window has beyond that is not in it and stays in this browser only." : "";
    return [part("span", `${words}${lost} `), part("a", "To the counts of the station", { href: `/stations/${station}/counts` })];
  }
  return [part("span", words)];
}

/** Show it. `older` and `conflict` bring a button, `choose` what it does. */
export function tell(kind, { words = "", acts = false, station = "", choose = null }) {
  find("saved").className = kind === "good" ? "state" : "state state-error";
  find("saved-words").textContent = kind === "good" ? words : (WORDS[kind] ?? "not saved");
  const place = find("trouble");
  const said = JSON.stringify([kind, kind === "good" ? "" : words, acts]);
  if (place.dataset.said === said) return; // read out once, and its button keeps the focus
  place.hidden = kind === "good";
  place.dataset.said = said;
  place.replaceChildren(...(kind === "good" ? [] : line(kind, words, acts, station)));
  if (choose && kind !== "good") place.append(part("button", choose.label, { type: "button", id: "choose-open", onclick: choose.act }));
}
