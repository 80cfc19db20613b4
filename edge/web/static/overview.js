// Tells of the station that is pointed at, or that the keyboard is on.

function tell(event) {
  const link = event.target.closest?.("a[data-detail]");
  const place = document.getElementById("detail");
  if (link && place) place.textContent = link.dataset.detail;
}

document.addEventListener("pointerover", tell);
document.addEventListener("focusin", tell);
