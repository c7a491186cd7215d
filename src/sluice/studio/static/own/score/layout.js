/** How a score is laid out, and where abcjs is helped: endings and repeats of broken lines. */

import { chooseBreaks } from "./lines.js";

const NARROW = 560;
/** Room for six holes and a sign below each line of a whistle's tablature. */
const FINGERING_HEIGHT = 62;
const STRINGS = ["fiddle", "mandolin", "guitar"];

/**
 * Draws a tune in lines of as many bars as fit: two or so at 360 px, four on a desk.
 *
 * @param {any} abcjs
 * @param {HTMLElement} sheet
 * @param {string} abc
 * @param {{width: number, label: string, transpose: number, tablature: string, isGrowing: boolean}} wishes
 * @returns {any} abcjs's tune
 */
export function engrave(abcjs, sheet, abc, wishes) {
  const layout = chooseLayout(wishes);
  const isWhistle = wishes.tablature === "whistle";
  const isString = STRINGS.includes(wishes.tablature);
  if (isWhistle) layout.paddingbottom += FINGERING_HEIGHT;
  const [parsed] = abcjs.parseOnly(abc);
  const [tune] = abcjs.renderAbc(sheet, abc, {
    ...layout,
    lineBreaks: parsed ? [chooseBreaks(parsed, layout.staffwidth, wishes.isGrowing)] : undefined,
    tablature: isString ? [{ instrument: wishes.tablature, label: "" }] : undefined,
    afterParsing: (/** @type {any} */ drawn) => {
      moveToNextLine(drawn);
      if (isWhistle) for (const line of drawn.lines.slice(1)) line.vskip = FINGERING_HEIGHT;
    },
  });
  return tune;
}

/** @param {{width: number, label: string, transpose: number}} wishes */
function chooseLayout({ width: shown, label, transpose }) {
  const width = Math.max(shown, 280);
  const scale = width < NARROW ? 0.8 : 1;
  return {
    add_classes: true,
    ariaLabel: label,
    foregroundColor: "currentColor",
    responsive: "resize",
    scale,
    staffwidth: width / scale - 16,
    paddingleft: 4,
    paddingright: 4,
    paddingtop: 4,
    paddingbottom: 8,
    selectTypes: false,
    format: { stretchlast: 0.6 },
    visualTranspose: transpose,
  };
}

/**
 * An ending or a repeat that begins with a line's last bar line begins with the next line instead,
 * where an ending's number has room.
 *
 * @param {any} tune
 */
function moveToNextLine(tune) {
  const systems = tune.lines.filter((/** @type {any} */ line) => line.staff);
  systems.slice(1).forEach((/** @type {any} */ system, /** @type {number} */ place) => {
    const voice = system.staff[0]?.voices?.[0];
    const last = systems[place].staff[0]?.voices?.[0]?.at(-1);
    if (!voice?.length || last?.el_type !== "bar") return;
    const { startEnding, startChar, endChar, type } = last;
    const isRepeat = type === "bar_dbl_repeat";
    if (!startEnding && !isRepeat) return;
    if (isRepeat) last.type = "bar_right_repeat";
    delete last.startEnding;
    const beginning = isRepeat ? "bar_left_repeat" : "bar_invisible";
    voice.unshift({ el_type: "bar", type: beginning, startEnding, startChar, endChar });
  });
}
