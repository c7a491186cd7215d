/**
 * Choosing tunes within a form, without sending it: what is typed is searched, and a box that is
 * checked moves to the tunes chosen. Without this script the button sends the form and gets it back.
 */

const PAUSE = 200;

/** @param {HTMLElement} part the fieldset */
function enhance(part) {
  const words = /** @type {HTMLInputElement} */ (part.querySelector("[name=tune_words]"));
  const chosen = /** @type {HTMLElement} */ (part.querySelector("[data-chosen]"));
  const found = /** @type {HTMLElement} */ (part.querySelector("[data-found]"));
  const status = /** @type {HTMLElement} */ (part.querySelector("[data-status]"));
  let number = 0;
  let timer = 0;

  async function search() {
    const own = ++number;
    const text = words.value.trim();
    if (!text) {
      show("");
      return;
    }
    const answer = await fetch(`${part.dataset.address}?words=${encodeURIComponent(text)}`);
    if (own === number && answer.ok) show(await answer.text());
  }

  /** @param {string} boxes HTML of this site's own */
  function show(boxes) {
    found.innerHTML = boxes;
    for (const box of found.querySelectorAll("input")) {
      if (chosen.querySelector(`input[value="${box.value}"]`)) box.closest("li")?.remove();
    }
    const count = found.children.length;
    const some = (part.dataset.some ?? "").replace("{count}", String(count));
    status.textContent = words.value.trim() ? (count ? some : (part.dataset.none ?? "")) : "";
  }

  words.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void search(), PAUSE);
  });
  words.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    void search();
  });
  part.querySelector("[data-search]")?.addEventListener("click", (event) => {
    event.preventDefault();
    void search();
  });
  found.addEventListener("change", (event) => {
    const box = /** @type {HTMLInputElement} */ (event.target);
    const item = box.closest("li");
    if (!box.checked || !item) return;
    item.querySelector(".muted")?.remove();
    chosen.append(item);
    box.focus();
  });
}

for (const part of document.querySelectorAll("[data-tune-choice]")) {
  enhance(/** @type {HTMLElement} */ (part));
}
