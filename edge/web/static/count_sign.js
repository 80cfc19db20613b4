// The last look at one's own minutes, and the signature.

import { writeHeaders } from "/static/csrf.js";

const find = (id) => document.getElementById(id);

function fill(tally) {
  find("sign-rows").replaceChildren(
    ...tally.minutes.map(([minute, systems, lost, inside, outside, note]) => {
      const line = document.createElement("tr");
      for (const [place, text] of [minute, systems, lost, inside ?? "–", outside ?? "–", note].entries()) {
        const cell = document.createElement(place ? "td" : "th");
        if (place && place < 5) cell.className = "n";
        cell.textContent = String(text);
        line.append(cell);
      }
      return line;
    }),
  );
  const total = tally.minutes.reduce((sum, one) => sum + one[1], 0);
  find("sign-total").textContent = tally.minutes.length ? `${total} systems in ${tally.minutes.length} minutes${total === 0 ? ": a signed zero is a result" : ""}` : "";
  const words = [...tally.hindrances.map((one) => `Cannot be signed yet: ${one}.`), ...tally.remarks.map((one) => `${one}.`)];
  find("sign-remarks").replaceChildren(
    ...words.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }),
  );
  find("sign-now").disabled = tally.hindrances.length > 0;
}

async function send(count, station, saving) {
  const answer = await fetch(`/api/counts/${count}/sign`, {
    method: "POST",
    headers: writeHeaders({ "content-type": "application/json" }),
    body: JSON.stringify({ pin: find("pin").value, revision: saving.revision }),
  });
  find("pin").value = "";
  if (answer.status === 401) {
    saving.over = false;
    await saving.beat(); // keeps what is to be kept and says so on the page
    find("sign-box").close();
    return;
  }
  const own = answer.ok ? null : await saving.fetch().catch(() => null);
  if (!answer.ok && own?.state !== "signed") {
    const problem = await answer.json().catch(() => ({ message: `the appliance answered ${answer.status}`, advice: "" }));
    find("sign-problem").textContent = `${problem.message}. ${problem.advice}`;
    saving.over = false;
    return;
  }
  location.href = `/stations/${station}/counts`;
}

/** Saves, shows what the count comes to, and signs it with the PIN. */
export async function openSigning({ count, station, saving }) {
  find("sign-problem").textContent = "";
  find("sign-box").showModal();
  find("sign-close").onclick = () => find("sign-box").close();
  find("sign-now").disabled = true;
  find("sign-rows").replaceChildren();
  find("sign-remarks").replaceChildren();
  find("sign-total").textContent = "Saving, then adding up …";
  const own = (await saving.finish()) ? await saving.fetch().catch(() => null) : null;
  find("sign-total").textContent = "";
  if (!own) {
    find("sign-problem").textContent = "It must be saved before it can be signed, and it is not: the line at the top of the page says why. Nothing is lost; try again.";
    return;
  }
  fill(own.tally);
  find("pin").focus();
  find("sign-form").onsubmit = async (event) => {
    event.preventDefault();
    find("sign-now").disabled = true; // once is enough, however long it takes
    saving.over = true; // no save may come between what was looked at and the signature
    if (saving.sending) await saving.sending;
    await send(count, station, saving).catch(() => {
      saving.over = false;
      find("sign-problem").textContent = "No link to the appliance. Try again; a signature that arrived is shown on the Counts page.";
    });
    find("sign-now").disabled = false;
  };
}
