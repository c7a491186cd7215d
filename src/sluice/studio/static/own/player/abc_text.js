/** The ABC beside its score: what is chosen in one is marked in the other. */

/**
 * @param {import("../player.js").Player} player
 * @param {HTMLElement} shown what holds the ABC, and nothing else
 */
export function linkText(player, shown) {
  player.element.addEventListener("note-chosen", (event) => {
    const { startChar, endChar } = /** @type {CustomEvent} */ (event).detail;
    markText(shown, startChar, endChar);
  });
  player.element.addEventListener("note-sounding", (event) => {
    const { startChar, endChar } = /** @type {CustomEvent} */ (event).detail;
    if (shown.offsetParent) markText(shown, startChar, endChar);
  });
  shown.addEventListener("click", () => {
    const selection = getSelection();
    if (!selection || !selection.isCollapsed || selection.anchorNode?.parentNode !== shown) return;
    const place = selection.anchorOffset;
    const mark = player.score.marks.findIndex(
      (each) => each.startChar <= place && place < each.endChar,
    );
    if (mark < 0) return;
    player.seekToMark(mark);
    markText(shown, player.score.marks[mark].startChar, player.score.marks[mark].endChar);
  });
}

/**
 * @param {HTMLElement} shown
 * @param {number} startChar
 * @param {number} endChar
 */
function markText(shown, startChar, endChar) {
  const words = shown.firstChild;
  const most = words?.textContent?.length ?? 0;
  if (!words || !("highlights" in CSS) || endChar > most) return;
  const range = new Range();
  range.setStart(words, startChar);
  range.setEnd(words, endChar);
  CSS.highlights.set("abc-note", new Highlight(range));
}
