/** How a score is laid out, and where abcjs is helped: endings and tablature of wrapped lines. */

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
 * @param {{width: number, label: string, transpose: number, tablature: string}} wishes
 * @returns {any} abcjs's tune
 */
export function engrave(abcjs, sheet, abc, wishes) {
  const layout = chooseLayout(wishes);
  const isString = STRINGS.includes(wishes.tablature);
  const isWhistle = wishes.tablature === "whistle";
  /** @type {any[] | undefined} */
  let tablatures;
  if (isString) {
    // abcjs forgets the tablature of a tune whose lines it wraps: it is taken from one unwrapped.
    const tablature = [{ instrument: wishes.tablature, label: "", firstStaffOnly: false }];
    const [unwrapped] = abcjs.renderAbc(sheet, abc, { ...layout, wrap: undefined, tablature });
    tablatures = unwrapped.tablatures;
    for (const each of tablatures ?? []) each.instance = null;
  }
  const afterParsing = (/** @type {any} */ tune) => {
    moveEndings(tune);
    if (tablatures) tune.tablatures = tablatures;
    if (isWhistle) for (const line of tune.lines.slice(1)) line.vskip = FINGERING_HEIGHT;
  };
  if (isWhistle) layout.paddingbottom += FINGERING_HEIGHT;
  const [tune] = abcjs.renderAbc(sheet, abc, { ...layout, afterParsing });
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
    visualTranspose: transpose,
    wrap: { minSpacing: 1.5, maxSpacing: 2.6, preferredMeasuresPerLine: width < NARROW ? 2 : 4 },
  };
}

/**
 * An ending that begins with a line's last bar line begins with the next line instead, where its
 * number has room.
 *
 * @param {any} tune
 */
function moveEndings(tune) {
  const systems = tune.lines.filter((/** @type {any} */ line) => line.staff);
  systems.slice(1).forEach((/** @type {any} */ system, /** @type {number} */ place) => {
    const above = systems[place].staff[0]?.voices?.[0];
    const voice = system.staff[0]?.voices?.[0];
    const last = above?.at(-1);
    if (!voice?.length || last?.el_type !== "bar" || !last.startEnding) return;
    const { startEnding, startChar, endChar } = last;
    delete last.startEnding;
    voice.unshift({ el_type: "bar", type: "bar_invisible", startEnding, startChar, endChar });
  });
}
