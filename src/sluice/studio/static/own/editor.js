/**
 * ABC edited beside its live score.
 *
 * Every `[data-abc-editor]` (the macro `abc_editor` of templates/player.html) holds a textarea and a
 * player. The score follows the text; the note at the caret is marked in the score, and a note that
 * is clicked is selected in the text. Without script the textarea is a field of its form.
 */

import { Player } from "./player.js";

/** Milliseconds without a key before the score is drawn anew. */
const REST = 120;

/** @param {HTMLElement} element */
function connect(element) {
  const field = /** @type {HTMLTextAreaElement} */ (element.querySelector("textarea"));
  const player = Player.of(/** @type {HTMLElement} */ (element.querySelector("[data-player]")));
  let timer = 0;

  const mark = () => {
    const { selectionStart, selectionEnd } = field;
    player.score.light(selectionStart, Math.max(selectionEnd, selectionStart + 1), "is-marked");
  };
  const draw = async () => {
    await player.setAbc(field.value);
    if (document.activeElement === field) mark();
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void draw(), REST);
  });
  field.addEventListener("selectionchange", mark);
  for (const name of ["keyup", "click"]) field.addEventListener(name, mark);
  field.addEventListener("blur", () => player.score.dim("is-marked"));
  element.addEventListener("note-chosen", (event) => {
    const { startChar, endChar } = /** @type {CustomEvent} */ (event).detail;
    // After the score has taken the focus for its own keys.
    setTimeout(() => {
      field.focus({ preventScroll: true });
      field.setSelectionRange(startChar, endChar);
    });
  });
  void draw();
}

for (const element of document.querySelectorAll("[data-abc-editor]")) {
  connect(/** @type {HTMLElement} */ (element));
}
