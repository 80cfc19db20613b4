// Sends a pack to the appliance and says how far that is. What happens then is told by the live parts of the page.

import { writeHeaders } from "/static/csrf.js";

const form = document.getElementById("upload");
const file = document.getElementById("upload-file");
const note = document.getElementById("upload-note");
const bar = document.getElementById("upload-bar");
const cancel = document.getElementById("upload-cancel");
const BAR_LENGTH = 200;
const MIB = 1024 * 1024;

function show(text, share) {
  note.textContent = text;
  bar.toggleAttribute("hidden", share === null);
  if (share !== null) document.getElementById("upload-part").setAttribute("width", String(Math.round(BAR_LENGTH * share)));
}

function answerOf(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return { message: `the appliance answered ${request.status}`, advice: "" };
  }
}

function end(text) {
  cancel.hidden = true;
  form.querySelector("button.primary").disabled = false;
  show(text, null);
}

function send(chosen) {
  const request = new XMLHttpRequest(); // fetch does not tell how much was sent
  request.open("POST", `/api/models/upload?name=${encodeURIComponent(chosen.name.slice(0, 200))}`);
  const headers = writeHeaders({ "content-type": "application/zip" });
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  request.upload.addEventListener("progress", (event) => {
    show(`Sent ${(event.loaded / MIB).toFixed(1)} of ${(chosen.size / MIB).toFixed(1)} MiB`, event.loaded / chosen.size);
  });
  request.addEventListener("load", () => {
    if (request.status === 202) {
      form.reset();
      end("Sent. It is being checked: see Work on packs above.");
    } else {
      const body = answerOf(request);
      end(`Not installed: ${body.message}. ${body.advice}`);
    }
  });
  request.addEventListener("error", () => end("Not sent: the link to the appliance was lost, or it refused the size. Try again, or install from a path."));
  request.addEventListener("abort", () => end("Cancelled. Nothing was installed."));
  cancel.onclick = () => request.abort();
  cancel.hidden = false;
  form.querySelector("button.primary").disabled = true;
  show("Sending", 0);
  request.send(chosen);
}

form.hidden = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (file.files.length) send(file.files[0]);
});
