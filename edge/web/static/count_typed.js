// Numbers per minute that were counted elsewhere: another way of the same count.

const NAMES = ["systems", "seconds lost", "Nephrops in", "Nephrops out"];

function row(marks, minute) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = String(minute);
  line.append(head);
  for (const [place, name] of NAMES.entries()) {
    const cell = document.createElement("td");
    cell.className = "n";
    const field = document.createElement("input");
    Object.assign(field, { type: "number", min: "0", step: place < 2 ? "any" : "1", ariaLabel: `minute ${minute}, ${name}` });
    if (place === 1) field.max = "60";
    field.dataset.place = `${minute}/${place}`;
    field.addEventListener("input", () => keep(marks, minute, line, false)); // each digit: a browser may be killed at any time
    field.addEventListener("change", () => keep(marks, minute, line, true));
    cell.append(field);
    line.append(cell);
  }
  return line;
}

function keep(marks, minute, line, tells) {
  const fields = [...line.querySelectorAll("input")];
  const values = fields.map((field) => (field.value === "" ? null : field.valueAsNumber));
  const wrong = fields.find((field) => !field.checkValidity());
  if (wrong) {
    if (tells) wrong.reportValidity();
    return;
  }
  const typed = values[0] === null ? null : [values[0], values[1] ?? 0, values[2], values[3]];
  if (JSON.stringify(typed) !== JSON.stringify(marks.state.typed[minute] ?? null)) marks.type(minute, typed);
}

/** Shows the typed minutes, or hides them where frames are counted. */
export function showTyped(marks, rules) {
  const typing = marks.state.way === "typed";
  document.body.classList.toggle("typing", typing);
  document.getElementById("typed").hidden = !typing;
  document.getElementById("way").textContent = typing ? "Frames" : "Numbers";
  const body = document.getElementById("typed-rows");
  if (!body.children.length) {
    for (let minute = rules.first_minute; minute <= rules.last_minute; minute += 1) body.append(row(marks, minute));
  }
  for (const field of body.querySelectorAll("input")) {
    const [minute, place] = field.dataset.place.split("/").map(Number);
    const values = marks.state.typed[minute];
    const text = values === undefined || values[place] === null ? "" : String(values[place]);
    if (document.activeElement !== field && values !== undefined) field.value = text;
    else if (document.activeElement !== field && field.parentElement.parentElement.querySelector("input").value === "") field.value = "";
  }
}
