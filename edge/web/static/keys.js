// Everything can be done from the keyboard: modes, help, going to pages, walking lists.

const MODES = ["light", "dark", "red"];
const PLACES = { h: "/", f: "/files", e: "/failures", s: "/health", m: "/models", a: "/api", v: "/surveys", p: "/people", t: "/audit", w: "/account", z: "/scans", n: "/annotate", y: "/sync" };

const help = document.getElementById("help");
const modeButton = document.getElementById("mode-button");
const helpButton = document.getElementById("help-button");
let going = false;

function showMode() {
  document.getElementById("mode-word").textContent = document.documentElement.dataset.mode;
}

function nextMode() {
  const root = document.documentElement;
  root.dataset.mode = MODES[(MODES.indexOf(root.dataset.mode) + 1) % MODES.length];
  try {
    localStorage.setItem("mode", root.dataset.mode);
  } catch {
    // The mode then lasts until the page is left.
  }
  showMode();
  document.dispatchEvent(new Event("modechange"));
}

function rows() {
  return [...document.querySelectorAll("a.row")];
}

function walk(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.closest("tr").contains(document.activeElement));
  const to = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
  all[to].focus();
  all[to].closest("tr").scrollIntoView({ block: "nearest" });
}

function picks() {
  return [...document.querySelectorAll('input[name="file"][type="checkbox"]')];
}

function showTicked() {
  const count = picks().filter((pick) => pick.checked).length;
  const place = document.getElementById("ticked");
  if (place) place.textContent = count ? `${count} ticked` : "";
}

function tickAll(checked) {
  for (const pick of picks()) pick.checked = checked;
  const all = document.getElementById("pick-all");
  if (all) all.checked = checked;
  showTicked();
}

const ACTIONS = {
  "?": () => help.showModal(),
  m: nextMode,
  r: () => location.reload(),
  j: () => walk(1),
  k: () => walk(-1),
  ArrowDown: () => document.activeElement.matches("a.row") && walk(1),
  ArrowUp: () => document.activeElement.matches("a.row") && walk(-1),
  "/": () => {
    const search = document.getElementById("search");
    if (search) search.select();
    else location.href = "/files#search";
  },
  x: () => document.activeElement.closest("tr")?.querySelector('input[name="file"]')?.click(),
  a: () => tickAll(picks().some((pick) => !pick.checked)),
};

/** Whether a key belongs to the field that has the focus. */
export function isTyping(event) {
  const target = event.target;
  return event.ctrlKey || event.altKey || event.metaKey || help.open || target.matches("select, textarea, input:not([type=checkbox], [type=range])");
}

function press(event) {
  if (event.defaultPrevented || isTyping(event)) return;
  if (going) {
    going = false;
    const place = PLACES[event.key];
    if (place && document.querySelector(`.top a[href="${place}"]`)) location.href = place; // where one may go
    return;
  }
  if (event.key === "g") {
    going = true;
    setTimeout(() => (going = false), 1500);
    return;
  }
  const bound = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (bound) {
    event.preventDefault();
    bound.click();
  } else if (Object.hasOwn(ACTIONS, event.key)) {
    if (ACTIONS[event.key]() !== false) event.preventDefault();
  }
}

document.addEventListener("keydown", press);
document.addEventListener("change", (event) => {
  if (event.target.id === "pick-all") tickAll(event.target.checked);
  else showTicked();
});
modeButton.hidden = helpButton.hidden = false;
modeButton.addEventListener("click", nextMode);
helpButton.addEventListener("click", () => help.showModal());
if (location.hash === "#search") document.getElementById("search")?.focus();
showMode();
