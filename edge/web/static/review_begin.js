// Before a review: the minutes that are counted blind are drawn, taken over, or declined with a reason. All lead to the review as it is then.
import { writeHeaders } from "./csrf.js";

const tow = document.getElementById("begin-review").dataset.tow;

async function ask(what, body) {
  const headers = writeHeaders({ "content-type": "application/json" });
  const answer = await fetch(`/api/tows/${tow}/check/${what}`, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => null);
  if (answer?.ok) return location.reload();
  const told = (await answer?.json().catch(() => null)) ?? { message: "the appliance does not answer" };
  const line = document.getElementById("begin-trouble");
  line.textContent = `${told.message} ${told.advice ?? ""}`;
  line.hidden = false;
}

document.getElementById("draw")?.addEventListener("click", () => ask("draw", {}));
document.getElementById("take-over")?.addEventListener("click", () => ask("take-over", {}));
document.getElementById("decline")?.addEventListener("submit", (event) => {
  event.preventDefault();
  ask("decline", { reason: document.getElementById("decline-reason").value });
});
