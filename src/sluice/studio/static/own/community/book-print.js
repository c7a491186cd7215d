/** Draws the scores of a printed book one after the other, then offers to print. */

import { Score } from "../score.js";

const status = /** @type {HTMLElement} */ (document.querySelector("[data-print-status]"));
const button = /** @type {HTMLButtonElement} */ (document.querySelector("[data-print]"));
const places = [...document.querySelectorAll("[data-print-score]")];

for (const [place, element] of places.entries()) {
  status.textContent = (status.dataset.drawing ?? "")
    .replace("{done}", String(place + 1))
    .replace("{all}", String(places.length));
  const abc = element.parentElement?.querySelector("[data-abc]");
  const score = new Score(/** @type {HTMLElement} */ (element));
  await score.draw(abc?.textContent ?? "");
  if (score.tune && abc) abc.remove();
  // Lets the page answer between two scores.
  await new Promise((resolve) => setTimeout(resolve));
}
status.textContent = status.dataset.ready ?? "";
button.hidden = false;
button.addEventListener("click", () => window.print());
document.documentElement.dataset.drawn = "";
