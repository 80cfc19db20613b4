// Two versions of one count: shown beside each other until a person says which goes on. Neither is lost before.

import { differences } from "/static/count_drafts.js";

const find = (id) => document.getElementById(id);

function when(utc) {
  return utc ? `${utc.slice(0, 10)} ${utc.slice(11, 19)}Z` : "before anything was saved";
}

function row(cells) {
  const line = document.createElement("tr");
  for (const [place, text] of cells.entries()) {
    const cell = document.createElement(place ? "td" : "th");
    if (!place) cell.scope = "row";
    cell.textContent = text;
    line.append(cell);
  }
  return line;
}

/** Ask which goes on: resolves to "saved", "here", or null for later. `saved` is what the appliance has, `here` what this browser has;
 * `hereMade` is when that was made by this machine's clock. */
export function choose(saved, here, hereMade) {
  const box = find("choose-box");
  find("choose-rows").replaceChildren(row(["Made", when(saved.saved_utc), when(hereMade)]), ...differences(saved, here).map(row));
  return new Promise((resolve) => {
    let chosen = null;
    find("choose-saved").onclick = () => ((chosen = "saved"), box.close());
    find("choose-here").onclick = () => ((chosen = "here"), box.close());
    find("choose-later").onclick = () => box.close();
    box.onclose = () => {
      find("frame").focus();
      resolve(chosen);
    };
    if (!box.open) box.showModal();
    find("choose-later").focus();
  });
}
