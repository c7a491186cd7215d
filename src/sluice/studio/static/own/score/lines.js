/**
 * Where the lines of a score end: parts of a tune begin a line, and the lines of a part are about
 * equally full.
 */

/** What notes need in a line, in the SVG's units: closely set, and at ease, on a desk and a phone. */
const CLOSE = 17;
const AT_EASE = { wide: 32, narrow: 24 };
const NARROW = 600;
/** Bars of most parts. */
const PART = 8;
/** Longer ones are cut, since the time that breaking takes grows with the cube. */
const LONGEST = 24;
/** Clef, key and meter at the beginning of a line. */
const HEAD = 70;

/** @typedef {{weight: number, endsPart: boolean}} Measure what stands before a bar line */

/**
 * @param {any} tune parsed, not drawn
 * @param {number} width of a line
 * @param {boolean} isGrowing whether more bars come: a part is taken to have eight, so that those
 *   that stand there keep their places
 * @returns {number[]} the last measure of each line but the last, from 0, as abcjs counts them
 */
export function chooseBreaks(tune, width, isGrowing) {
  const measures = readMeasures(tune);
  /** @type {number[]} */
  const breaks = [];
  let first = 0;
  measures.forEach((measure, place) => {
    const isCut = place - first + 1 >= LONGEST;
    if (!measure.endsPart && !isCut && place < measures.length - 1) return;
    const part = measures.slice(first, place + 1);
    if (isGrowing && !measure.endsPart && !isCut) addExpected(part);
    breaks.push(...breakPart(part, width - HEAD).map((end) => first + end));
    first = place + 1;
  });
  return breaks.filter((end) => end < measures.length - 1);
}

/**
 * @param {any} tune
 * @returns {Measure[]}
 */
function readMeasures(tune) {
  /** @type {Measure[]} */
  const measures = [];
  let weight = 0;
  for (const system of tune.lines) {
    for (const element of system.staff?.[0]?.voices?.[0] ?? []) {
      if (element.el_type === "note" && element.duration > 0) weight += weigh(element);
      if (element.el_type !== "bar") continue;
      const endsPart = /right_repeat|dbl_repeat|thin_thin|thick/.test(element.type);
      measures.push({ weight, endsPart: endsPart && weight > 0 && !element.startEnding });
      weight = 0;
    }
  }
  if (weight > 0) measures.push({ weight, endsPart: false });
  return measures;
}

/** @param {Measure[]} part what has been written of it */
function addExpected(part) {
  const weight = Math.max(...part.map((measure) => measure.weight));
  const bars = countBars(part.map((measure) => measure.weight), weight);
  for (let bar = bars; bar < PART; bar += 1) part.push({ weight, endsPart: false });
}

/** @param {any} element */
function weigh(element) {
  const accidentals = (element.pitches ?? []).some((/** @type {any} */ pitch) => pitch.accidental);
  const words = element.chord?.[0]?.name?.length ?? 0;
  const note = Math.sqrt(Math.max(element.duration * 8, 0.4)) + (accidentals ? 0.4 : 0);
  return Math.max(note + 0.3 * (element.gracenotes?.length ?? 0), words * 0.4);
}

/**
 * About as many lines as are at ease, with as many bars in each, none more than closely set.
 *
 * @param {Measure[]} measures
 * @param {number} width
 * @returns {number[]} the last measure of each line
 */
function breakPart(measures, width) {
  const weights = measures.map((measure) => measure.weight + 0.6);
  const total = sum(weights);
  const ideal = (total * (width < NARROW ? AT_EASE.narrow : AT_EASE.wide)) / width;
  let best = { cost: Infinity, ends: weights.map((_, place) => place) };
  for (let lines = 1; lines <= Math.min(weights.length, Math.ceil(2 * ideal)); lines += 1) {
    const ends = fill(weights, lines);
    const parts = ends.map((end, line) => weights.slice((ends[line - 1] ?? -1) + 1, end + 1));
    const fullest = Math.max(...parts.map((part) => sum(part)));
    const counts = parts.map((part) => countBars(part, total / weights.length));
    const unevenness = Math.max(...counts) - Math.min(...counts);
    const cost = Math.abs(Math.log(lines / ideal)) + 0.3 * unevenness;
    if (fullest * CLOSE <= width && cost < best.cost) best = { cost, ends };
  }
  return best.ends;
}

/**
 * Upbeats and bar lines at the beginning are no bars.
 *
 * @param {number[]} weights
 * @param {number} mean
 */
function countBars(weights, mean) {
  return weights.filter((weight) => weight > mean / 2).length;
}

/**
 * The ends of that many lines, so that the squares of their weights add up to the least.
 *
 * @param {number[]} weights
 * @param {number} lines
 */
function fill(weights, lines) {
  const sums = [0];
  for (const weight of weights) sums.push(sums[sums.length - 1] + weight);
  /** @type {{cost: number, ends: number[]}[]} by the last measure placed */
  let best = weights.map((_, end) => ({ cost: sums[end + 1] ** 2, ends: [end] }));
  for (let line = 1; line < lines; line += 1) {
    best = weights.map((_, end) => {
      let [least, from] = [Infinity, line - 1];
      for (let start = line; start <= end; start += 1) {
        const cost = best[start - 1].cost + (sums[end + 1] - sums[start]) ** 2;
        if (cost < least) [least, from] = [cost, start - 1];
      }
      return { cost: least, ends: [...best[from].ends, end] };
    });
  }
  return best[weights.length - 1].ends;
}

/** @param {number[]} weights */
function sum(weights) {
  return weights.reduce((found, weight) => found + weight, 0);
}
