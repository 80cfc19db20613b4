// Sends a table of others: first to look at it, and only then, by the other button, to take it.

import { writeHeaders } from "/static/csrf.js";

const SHOWN = 200;
const form = document.getElementById("table-in");
const said = document.getElementById("table-said");
const faults = document.getElementById("table-faults");
const buttons = form ? [...form.querySelectorAll("button")] : [];

function say(words) {
  said.hidden = false;
  said.textContent = words;
}

function list(answer) {
  const lines = answer.faults.slice(0, SHOWN).map((fault) => {
    const line = document.createElement("tr");
    for (const cell of [fault.row, fault.column, fault.message]) line.append(Object.assign(document.createElement("td"), { textContent: cell }));
    line.firstElementChild.className = "n";
    return line;
  });
  faults.tBodies[0].replaceChildren(...lines);
  faults.hidden = !lines.length;
}

function words(report) {
  const parts = [];
  if (report.counts) parts.push(`${report.counts} counts`);
  if (report.references) parts.push(`${report.references} references`);
  if (report.stations) parts.push(`${report.stations} stations with their figures`);
  const news = parts.length ? parts.join(", ") : "nothing new";
  const verb = report.is_dry_run ? "would be taken" : "taken";
  const others = Object.entries(report.rows_of_others).map(([name, count]) => `${name} (${count})`);
  const made = report.new_stations.length ? ` New stations: ${report.new_stations.length}.` : "";
  const there = report.unchanged ? ` ${report.unchanged} are there already, the same.` : "";
  const left = others.length ? ` Rows of other surveys, not taken: ${others.join(", ")}.` : "";
  return `${report.file}: ${report.rows} rows; ${news} ${verb}.${made}${there}${left} ${report.notes.map((note) => `Note: ${note}.`).join(" ")}`;
}

async function send(dry) {
  const file = form.elements.file.files[0];
  const asked = new URLSearchParams({ name: file.name.slice(0, 200), format: form.elements.format.value, of: form.elements.of.value.trim(), dry_run: dry });
  say("Reading the table.");
  buttons.forEach((button) => { button.disabled = true; });
  let mayTake = false;
  try {
    const response = await fetch(`/api/surveys/${form.dataset.survey}/tables?${asked}`, { method: "POST", headers: writeHeaders(), body: file });
    const answer = await response.json();
    if (!response.ok) say(`Not taken: ${answer.message}. ${answer.advice}`);
    else if (!answer.report) {
      say(`Not taken, ${answer.fault_count || "one"} fault${answer.fault_count > 1 ? "s" : ""}. ${answer.fault_count ? "" : `${answer.message}. `}${answer.advice}`);
      list(answer);
    } else {
      say(words(answer.report));
      list({ faults: [] });
      mayTake = dry && Boolean(answer.report.counts || answer.report.references || answer.report.stations);
      if (!dry) setTimeout(() => location.reload(), 4000);
    }
  } catch {
    say("Not sent: the link to the appliance was lost, or it refused the size. Try again.");
  }
  buttons[0].disabled = false;
  buttons[1].disabled = !mayTake;
}

if (form) {
  form.hidden = false;
  form.addEventListener("change", () => { buttons[1].disabled = true; }); // what was looked at is what is taken
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(event.submitter !== buttons[1]);
  });
}
