/** A tunebook's page: a player for each tune that is opened, order by drag, and keeping it offline. */

import { Player } from "../player.js";
import { followDrags } from "./drag.js";

/** @param {HTMLDetailsElement} details */
async function open(details) {
  const abc = details.querySelector("pre[data-abc]");
  const template = /** @type {HTMLTemplateElement | null} */ (document.querySelector("#player-template"));
  if (!details.open || !abc || !template) return;
  const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
  const element = /** @type {HTMLElement} */ (copy.querySelector("[data-player]"));
  const score = /** @type {HTMLElement} */ (element.querySelector("[data-score]"));
  score.dataset.label = details.dataset.title ?? "";
  /** @type {Element} */ (element.querySelector("[data-abc]")).textContent = abc.textContent;
  abc.replaceWith(copy);
  Player.of(element);
}

for (const each of document.querySelectorAll("details[data-tune]")) {
  const details = /** @type {HTMLDetailsElement} */ (each);
  details.addEventListener("toggle", () => void open(details));
}

const list = /** @type {HTMLElement | null} */ (document.querySelector("[data-entries]"));
if (list) followDrags(list);

/** Asks the service worker to keep this page and all that it may need. */
async function keep() {
  const status = /** @type {HTMLElement} */ (document.querySelector("[data-offline]"));
  const files = document.querySelector("script[data-offline-files]")?.textContent ?? "[]";
  if (!("serviceWorker" in navigator)) return;
  if (!navigator.onLine) {
    status.textContent = status.dataset.without ?? "";
    status.hidden = false;
    return;
  }
  try {
    await navigator.serviceWorker.register("/books/worker", { scope: "/books/" });
  } catch {
    return; // in private windows, say: the page is read as before
  }
  const { active } = await navigator.serviceWorker.ready;
  navigator.serviceWorker.addEventListener("message", (event) => {
    if (event.data !== "kept") return;
    status.textContent = status.dataset.kept ?? "";
    status.hidden = false;
  });
  active?.postMessage({ page: location.pathname, files: JSON.parse(files) });
}

void keep();
