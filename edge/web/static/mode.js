// Runs before the first paint: a white flash would cost a dark-adapted eye its next half hour.
(() => {
  const modes = ["light", "dark", "red"];
  const root = document.documentElement;
  let saved = null;
  try {
    saved = localStorage.getItem("mode");
  } catch {
    // A browser that keeps nothing still gets a mode.
  }
  const preferred = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.mode = modes.includes(saved) ? saved : preferred;
})();
