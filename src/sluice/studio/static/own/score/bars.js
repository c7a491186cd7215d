/**
 * The bars of a drawn tune, as Sluice counts them: what stands between two bar lines and holds a
 * note or a rest, in written order, from 0.
 */

/**
 * @typedef {object} Mark a note or rest
 * @property {number} startChar
 * @property {number} endChar
 * @property {number} bar
 * @property {number} offset since the bar's first, in whole notes
 * @property {number} duration in whole notes
 * @property {boolean} isRest
 * @property {number[]} pitches places on the staff; 0 is middle C
 * @property {Element[]} elements
 *
 * @typedef {object} Bar
 * @property {number} line
 * @property {number} left
 * @property {number} right in the SVG's units
 * @property {number} startChar
 * @property {number} endChar
 * @property {number} duration in whole notes
 */

/**
 * @param {any} tune what abcjs has drawn
 * @returns {{bars: Bar[], marks: Mark[]}} of its first staff and voice
 */
export function readBars(tune) {
  /** @type {Bar[]} */
  const bars = [];
  /** @type {Mark[]} */
  const marks = [];
  let open = false;
  for (const [line, system] of tune.lines.entries()) {
    const voice = system.staff?.[0]?.voices?.[0];
    if (!voice) continue;
    let left = 0;
    for (const element of voice) {
      const drawn = element.abselem;
      if (element.el_type === "bar") {
        const right = drawn ? drawn.x + drawn.w : left;
        if (open) bars[bars.length - 1].right = right;
        left = right;
        open = false;
      } else if (isSounding(element)) {
        if (open && bars[bars.length - 1].line !== line) open = false;
        const from = left || (drawn ? drawn.x - 8 : 0);
        if (!open) bars.push(startBar(element, line, from));
        open = true;
        addMark(element, bars, marks);
        if (drawn) bars[bars.length - 1].right = drawn.x + drawn.w + 4;
      }
    }
  }
  return { bars, marks };
}

/** @param {any} element */
function isSounding(element) {
  return element.el_type === "note" && element.duration > 0 && element.rest?.type !== "spacer";
}

/**
 * @param {any} element
 * @param {number} line
 * @param {number} left
 * @returns {Bar}
 */
function startBar(element, line, left) {
  const { startChar, endChar } = element;
  return { line, left, right: left, startChar, endChar, duration: 0 };
}

/**
 * @param {any} element
 * @param {Bar[]} bars
 * @param {Mark[]} marks
 */
function addMark(element, bars, marks) {
  const bar = bars[bars.length - 1];
  const duration = element.abselem?.duration ?? element.duration;
  marks.push({
    startChar: element.startChar,
    endChar: element.endChar,
    bar: bars.length - 1,
    offset: bar.duration,
    duration,
    isRest: Boolean(element.rest),
    pitches: (element.pitches ?? []).map((/** @type {any} */ pitch) => pitch.pitch),
    elements: (element.abselem?.elemset ?? []).filter(Boolean),
  });
  bar.duration += duration;
  bar.endChar = element.endChar;
}
