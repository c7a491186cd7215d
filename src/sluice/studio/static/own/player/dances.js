/** How dances are played: their tempo and swing, out of the page's `script[data-tempos]`. */

/** @typedef {{quarters: number, swing: number, unit: number}} Dance unit in whole notes, or 0 */

/**
 * @param {string} abc
 * @returns {Dance | null} that of its `R:`, or of its meter; null where the page knows none
 */
export function findDance(abc) {
  const table = document.querySelector("script[data-tempos]");
  if (!table) return null;
  /** @type {Record<string, Record<string, [number, number, number]>>} */
  const tempos = JSON.parse(table.textContent ?? "{}");
  const rhythm = (/^R:\s*([^\r\n%]*)/m.exec(abc)?.[1] ?? "").toLowerCase().replace(/[-_\s]+/g, " ");
  const spelled = rhythm.replace("slipjig", "slip jig");
  const names = Object.keys(tempos).filter((name) => spelled.includes(name));
  const dance = names.sort((one, other) => other.length - one.length)[0];
  const written = /^M:\s*([^\r\n%]*)/m.exec(abc)?.[1].trim() ?? "4/4";
  const meter = written === "C" ? "4/4" : written === "C|" ? "2/2" : written;
  const found = tempos[dance]?.[meter];
  return found ? { quarters: found[0], swing: found[1], unit: found[2] } : null;
}

/**
 * Within a beat, of two even notes the first is longer, as in `sluice.tunes.export.swing`.
 *
 * @param {import("./timeline.js").Note[]} melody changed
 * @param {import("../score.js").Score} score
 * @param {Dance} dance
 */
export function swing(melody, score, dance) {
  if (dance.swing === 1 || !dance.unit) return;
  const { marks, bars } = score;
  const { unit } = dance;
  const longer = (2 * unit * dance.swing) / (1 + dance.swing) - unit;
  /** @type {Map<number, {delay: number, change: number}>} */
  const swung = new Map();
  const isEven = (/** @type {number} */ value) => Math.abs(value - unit) < 1e-6;
  const barLength = score.tune.getBarLength();
  marks.forEach((mark, place) => {
    const next = marks[place + 1];
    if (!next || next.bar !== mark.bar || !isEven(mark.duration) || !isEven(next.duration)) return;
    const { duration } = bars[mark.bar];
    const isUpbeat = mark.bar === 0 && duration < barLength - 1e-6;
    const pairs = (mark.offset + (isUpbeat ? -duration : 0)) / (2 * unit);
    if (Math.abs(pairs - Math.round(pairs)) > 1e-6) return;
    swung.set(place, { delay: 0, change: longer });
    swung.set(place + 1, { delay: longer, change: -longer });
  });
  for (const note of melody) {
    const found = swung.get(note.mark);
    if (!found) continue;
    const isTied = note.duration > marks[note.mark].duration + 1e-6;
    note.start += found.delay;
    note.duration += isTied ? -found.delay : found.change;
  }
}
