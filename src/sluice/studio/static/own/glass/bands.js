/** A colour behind every note of the score: the chosen value when the model had read the note. */

const SVG = "http://www.w3.org/2000/svg";
const CLEARANCE = 5;

export class ScoreBands {
  /** @param {import("../score.js").Score} score */
  constructor(score) {
    this.score = score;
    /** @type {SVGRectElement[]} */
    this.bands = [];
    /** @type {((note: number) => string | null) | null} */
    this.colour = null;
    score.element.addEventListener("score-drawn", () => this.draw());
    if (score.tune) this.draw();
  }

  /** @param {(note: number) => string | null} colour of a note by its place; null for none */
  paint(colour) {
    this.colour = colour;
    for (const [note, band] of this.bands.entries()) {
      band?.style.setProperty("fill", colour(note) ?? "none");
    }
  }

  /** Places a band from each note to the next of its line. */
  draw() {
    const svg = /** @type {SVGSVGElement | null} */ (this.score.sheet.querySelector("svg"));
    this.bands = [];
    if (!svg) return;
    const layer = document.createElementNS(SVG, "g");
    layer.setAttribute("class", "glass-bands");
    layer.setAttribute("aria-hidden", "true");
    const boxes = this.score.marks.map(({ elements, bar }) => {
      const box = measure(svg, elements);
      return box && { ...box, line: this.score.bars[bar]?.line };
    });
    const staves = [...svg.querySelectorAll(".abcjs-staff")].map((staff) => measure(svg, [staff]));
    for (const [note, box] of boxes.entries()) {
      if (!box) continue;
      const own = boxes.filter((one) => one && one.line === box.line);
      const staff = findNearest(staves, (box.top + box.bottom) / 2);
      const frame = [...own, staff].filter((one) => one !== null);
      const next = boxes[note + 1];
      const isSameLine = next && next.line === box.line && next.left > box.left;
      const right = isSameLine ? next.left : staff?.right ?? box.right;
      const band = document.createElementNS(SVG, "rect");
      const top = Math.min(...frame.map((one) => one.top)) - CLEARANCE;
      const bottom = Math.max(...frame.map((one) => one.bottom)) + CLEARANCE;
      const place = { x: box.left - 3, y: top, width: Math.max(2, right - box.left), height: bottom - top };
      for (const [name, value] of Object.entries(place)) band.setAttribute(name, value.toFixed(1));
      band.setAttribute("data-note", String(note));
      layer.append(band);
      this.bands[note] = band;
    }
    svg.prepend(layer);
    if (this.colour) this.paint(this.colour);
  }
}

/**
 * What elements occupy, in the units of the drawing.
 *
 * @param {SVGSVGElement} svg
 * @param {Element[]} elements
 */
function measure(svg, elements) {
  const frame = svg.getBoundingClientRect();
  const [, , width] = (svg.getAttribute("viewBox") ?? `0 0 ${frame.width} 0`).split(/\s+/).map(Number);
  const scale = frame.width ? width / frame.width : 1;
  const boxes = elements.map((one) => one.getBoundingClientRect()).filter((one) => one.width > 0);
  if (!boxes.length) return null;
  return {
    left: (Math.min(...boxes.map((one) => one.left)) - frame.left) * scale,
    right: (Math.max(...boxes.map((one) => one.right)) - frame.left) * scale,
    top: (Math.min(...boxes.map((one) => one.top)) - frame.top) * scale,
    bottom: (Math.max(...boxes.map((one) => one.bottom)) - frame.top) * scale,
  };
}

/** @typedef {{left: number, right: number, top: number, bottom: number} | null} Box */

/**
 * @param {Box[]} staves
 * @param {number} y
 * @returns {Box} the staff whose middle is nearest
 */
function findNearest(staves, y) {
  const distance = (/** @type {Box} */ one) => (one ? Math.abs((one.top + one.bottom) / 2 - y) : Infinity);
  return staves.reduce((best, one) => (distance(one) < distance(best) ? one : best), null);
}
