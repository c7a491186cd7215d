/**
 * Ordering a list by dragging a handle, with mouse or finger. Without it, and by keyboard, the
 * buttons beside each entry do the same.
 */

/** @param {HTMLElement} list around all entries; `data-entries` is the address of theirs */
export function followDrags(list) {
  /** @type {HTMLElement | null} */
  let moving = null;
  /** @type {HTMLElement | null} the entry before which it would be put; none: the end */
  let goal = null;

  for (const handle of list.querySelectorAll("[data-handle]")) handle.removeAttribute("hidden");

  /** @returns {HTMLElement[]} */
  const others = () => [...list.querySelectorAll("[data-entry]")]
    .filter((entry) => entry !== moving)
    .map((entry) => /** @type {HTMLElement} */ (entry));

  list.addEventListener("pointerdown", (event) => {
    const target = /** @type {Element} */ (event.target);
    const handle = /** @type {HTMLElement | null} */ (target.closest("[data-handle]"));
    if (!handle || event.button !== 0) return;
    event.preventDefault();
    handle.setPointerCapture(event.pointerId);
    moving = handle.closest("[data-entry]");
    moving?.classList.add("is-moving");
  });

  list.addEventListener("pointermove", (event) => {
    if (!moving) return;
    const edge = 60;
    if (event.clientY < edge) window.scrollBy(0, -10);
    if (event.clientY > window.innerHeight - edge) window.scrollBy(0, 10);
    goal = others().find((entry) => {
      const { top, height } = entry.getBoundingClientRect();
      return event.clientY < top + height / 2;
    }) ?? null;
    mark();
  });

  list.addEventListener("pointerup", () => void drop());
  list.addEventListener("pointercancel", () => {
    moving?.classList.remove("is-moving");
    moving = null;
    mark();
  });

  function mark() {
    for (const entry of list.querySelectorAll(".drop-before, .drop-after")) {
      entry.classList.remove("drop-before", "drop-after");
    }
    if (!moving) return;
    if (goal) goal.classList.add("drop-before");
    else others().at(-1)?.classList.add("drop-after");
  }

  async function drop() {
    if (!moving) return;
    const entry = moving;
    const isMarked = list.querySelector(".drop-before, .drop-after") !== null;
    moving.classList.remove("is-moving");
    moving = null;
    mark();
    if (!isMarked) return;
    const token = document.querySelector("meta[name=csrf-token]")?.getAttribute("content") ?? "";
    const body = new FormData();
    body.set("before", goal?.dataset.entry ?? "");
    const address = `${list.dataset.entries}/${entry.dataset.entry}/place`;
    const answer = await fetch(address, { method: "POST", headers: { "X-CSRF-Token": token }, body })
      .catch(() => null);
    if (answer?.ok) location.reload();
    else fail();
  }

  function fail() {
    const notice = document.createElement("p");
    notice.className = "problem";
    notice.setAttribute("role", "alert");
    notice.textContent = list.dataset.failed ?? "";
    list.prepend(notice);
  }
}
