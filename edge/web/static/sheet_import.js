// Sends a station sheet to the appliance: first to look at it, then, if the person says so, to import it.

const form = document.getElementById("import");
const file = document.getElementById("file");
const write = document.getElementById("write");
const csrf = document.querySelector('meta[name="csrf-token"]')?.content;
const SHOWN = 500;

function say(words) {
  document.getElementById("said-words").textContent = words;
}

function base64(chosen) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(chosen);
  });
}

function row(...cells) {
  const line = document.createElement("tr");
  for (const cell of cells) {
    const place = document.createElement("td");
    place.textContent = cell ?? "";
    line.append(place);
  }
  return line;
}

function fill(id, rows, none) {
  const body = document.getElementById(id);
  const lines = rows.slice(0, SHOWN);
  body.replaceChildren(...lines);
  if (rows.length > lines.length) body.append(row(`and ${rows.length - lines.length} more`));
  if (!rows.length) body.append(row(none));
}

function figure(word, value) {
  const box = document.createElement("div");
  const term = document.createElement("dt");
  const figure = document.createElement("dd");
  term.textContent = word;
  figure.textContent = value;
  box.append(term, figure);
  return box;
}

function show(answer) {
  document.getElementById("found").hidden = false;
  document.getElementById("found-title").textContent = answer.dry_run ? `What ${answer.file} would do (${answer.dialect})` : `What ${answer.file} did`;
  const outcome = answer.outcome;
  const figures = outcome
    ? [["Stations in the sheet", outcome.stations], ["New", outcome.new_stations.length], ["Cells changed", outcome.changes.length], ["Unchanged stations", outcome.unchanged]]
    : [["Refused for", answer.faults.filter((fault) => fault.refuses).length]];
  document.getElementById("figures").replaceChildren(...figures.map(([word, value]) => figure(word, value)));
  fill("faults", answer.faults.map((fault) => row(fault.refuses ? "REFUSES" : "listed", fault.row, fault.column, fault.value, fault.message, fault.effect)), "No fault.");
  const changes = outcome?.changes ?? [];
  fill("changes", changes.map((change) => row(change.station, change.field, change.before, change.after, change.typed_by ?? "a sheet")), "No change.");
}

function words(answer) {
  if (answer.refused) return "This sheet is refused: the faults below say why. Nothing was written.";
  const outcome = answer.outcome;
  const sum = `${outcome.new_stations.length} new stations, ${outcome.adopted.length} drafts that become stations, ${outcome.changes.length} cells changed, ${outcome.unchanged} stations unchanged, ${answer.faults.length} faults listed`;
  return answer.dry_run ? `It would bring ${sum}. Nothing is written yet.` : `Imported: ${sum}.`;
}

async function ask(isDry) {
  const chosen = file.files[0];
  if (!chosen) return;
  write.disabled = true;
  say(isDry ? "Looking at it." : "Importing.");
  try {
    const body = {
      name: chosen.name,
      content_base64: await base64(chosen),
      survey: form.dataset.survey,
      date_order: document.getElementById("date-order").value || null,
      utc_offset: document.getElementById("utc-offset").value.trim(),
      reason: document.getElementById("reason").value.trim(),
      dry_run: isDry,
    };
    const headers = { "content-type": "application/json", ...(csrf ? { "x-csrf-token": csrf } : {}) };
    const answer = await fetch("/api/sheet/import", { method: "POST", headers, body: JSON.stringify(body) });
    const said = await answer.json();
    if (!answer.ok) {
      document.getElementById("found").hidden = true;
      say(`Not imported: ${said.message}. ${said.advice}`);
      return;
    }
    show(said);
    say(words(said));
    write.disabled = said.refused || !said.dry_run;
  } catch {
    say("Not imported: the link to the appliance was lost. Nothing was written unless it says so on the survey's page; try again.");
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask(true);
});
write.addEventListener("click", () => ask(false));
form.addEventListener("change", () => (write.disabled = true));
