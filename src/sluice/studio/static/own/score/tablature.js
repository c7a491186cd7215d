/**
 * The fingering of a tin whistle in D under each note of a score: six holes from the top hand down,
 * `+` for the octave that is blown harder. The tablature of strings is abcjs's.
 */

const SVG = "http://www.w3.org/2000/svg";
const RADIUS = 2.6;
const STEP = 6.6;

/** Covered holes, from the top; half-covered ones are "h". Semitones above the whistle's D. */
const FINGERINGS = [
  "xxxxxx", "xxxxxh", "xxxxxo", "xxxxho", "xxxxoo", "xxxooo",
  "xxhooo", "xxoooo", "xhoooo", "xooooo", "oxxooo", "oooooo",
];
const LOWEST = 62;

/**
 * @param {number} pitch a MIDI number
 * @returns {{holes: string, octave: number} | null} null where a whistle in D has no such note
 */
export function findFingering(pitch) {
  const above = pitch - LOWEST;
  if (above < 0 || above > 24) return null;
  // The octave's D is blown with the top hole open, which tells it from the low one.
  if (above === 12) return { holes: "oxxxxx", octave: 1 };
  return { holes: FINGERINGS[above % 12], octave: Math.floor(above / 12) };
}

/**
 * @param {SVGSVGElement} svg
 * @param {import("../score.js").Score} score
 */
export function drawTablature(svg, score) {
  const pitches = readPitches(score);
  const bottoms = new Map();
  for (const mark of score.marks) {
    const { line } = score.bars[mark.bar];
    for (const part of mark.elements) {
      const box = /** @type {SVGGraphicsElement} */ (part).getBBox();
      bottoms.set(line, Math.max(bottoms.get(line) ?? 0, box.y + box.height));
    }
    const staff = /** @type {SVGGraphicsElement | null} */ (svg.querySelector(`.abcjs-staff.abcjs-l${line}`));
    if (staff) {
      const box = staff.getBBox();
      bottoms.set(line, Math.max(bottoms.get(line) ?? 0, box.y + box.height));
    }
  }
  for (const mark of score.marks) {
    const pitch = pitches.get(mark.startChar);
    if (mark.isRest || pitch === undefined || !mark.elements.length) continue;
    const { line } = score.bars[mark.bar];
    const head = /** @type {SVGGraphicsElement} */ (
      mark.elements[0].querySelector(".abcjs-notehead") ?? mark.elements[0]
    ).getBBox();
    svg.append(drawFingering(pitch + score.transpose, head.x + head.width / 2, bottoms.get(line) + 12));
  }
}

/**
 * @param {import("../score.js").Score} score
 * @returns {Map<number, number>} the MIDI number of what is written at each place
 */
function readPitches(score) {
  const found = new Map();
  for (const track of score.tune.setUpAudio({ chordsOff: true }).tracks) {
    for (const event of track) {
      if (event.cmd === "note" && event.startChar !== undefined) {
        const known = found.get(event.startChar);
        found.set(event.startChar, Math.max(known ?? 0, event.pitch));
      }
    }
  }
  return found;
}

/**
 * @param {number} pitch
 * @param {number} x
 * @param {number} y
 */
function drawFingering(pitch, x, y) {
  const group = document.createElementNS(SVG, "g");
  group.setAttribute("class", "whistle-fingering");
  const fingering = findFingering(pitch);
  if (!fingering) {
    group.append(write("–", x, y + 3 * STEP));
    return group;
  }
  [...fingering.holes].forEach((hole, place) => {
    const top = y + place * STEP + (place >= 3 ? 2 : 0);
    const circle = document.createElementNS(SVG, "circle");
    circle.setAttribute("cx", String(x));
    circle.setAttribute("cy", String(top));
    circle.setAttribute("r", String(RADIUS));
    circle.setAttribute("class", hole === "x" ? "hole-covered" : "hole-open");
    group.append(circle);
    if (hole === "h") {
      const half = document.createElementNS(SVG, "path");
      half.setAttribute("d", `M${x},${top - RADIUS}a${RADIUS},${RADIUS} 0 0 0 0,${2 * RADIUS}z`);
      half.setAttribute("class", "hole-covered");
      group.append(half);
    }
  });
  if (fingering.octave) group.append(write("+".repeat(fingering.octave), x, y + 6 * STEP + 8));
  return group;
}

/**
 * @param {string} words
 * @param {number} x
 * @param {number} y
 */
function write(words, x, y) {
  const label = document.createElementNS(SVG, "text");
  label.setAttribute("x", String(x));
  label.setAttribute("y", String(y));
  label.setAttribute("text-anchor", "middle");
  label.textContent = words;
  return label;
}
