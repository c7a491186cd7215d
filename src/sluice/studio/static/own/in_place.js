/**
 * Forms whose answer takes the place of a part of the page (templates/in_place.html), by htmx.
 *
 * Where the answer is another page (a login, a problem), that page is shown; afterwards the focus is
 * on the part that has changed.
 */

document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = /** @type {CustomEvent} */ (event).detail;
  const { raw, status } = ctx.response;
  const answer = new DOMParser().parseFromString(ctx.text, "text/html");
  if (!ctx.select || (status < 400 && answer.querySelector(ctx.select))) return;
  if (status < 400) {
    event.preventDefault();
    location.assign(raw.url);
    return;
  }
  ctx.target = document.querySelector("main");
  ctx.select = "main";
});

document.addEventListener("htmx:after:swap", (event) => {
  const { ctx } = /** @type {CustomEvent} */ (event).detail;
  const changed = /** @type {HTMLElement | null} */ (ctx.select && document.querySelector(ctx.select));
  if (!changed || changed.contains(document.activeElement)) return;
  changed.tabIndex = -1;
  changed.focus({ preventScroll: ctx.select !== "main" });
});
