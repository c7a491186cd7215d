/**
 * The cell's sketch with one unit's numbers: wires in the colour of what they carry, gates filled as
 * far as they are open, and where a gate multiplies, a valve whose opening is the gate's value.
 */

import { Scale } from "./colours.js";

const SVG = "http://www.w3.org/2000/svg";
/** The value of the strongest colour of a wire. */
const STRONGEST = 1;
/** How small the drawing may become, for its numbers to be read. */
const SMALLEST = 0.72;

export class CellSketch {
  /**
   * @param {HTMLElement} element
   * @param {string} source the SVG of sluice.render.sketch.draw_interactive_sketch
   */
  constructor(element, source) {
    const root = new DOMParser().parseFromString(source, "image/svg+xml").documentElement;
    const parsed = /** @type {SVGSVGElement} */ (/** @type {unknown} */ (root));
    this.svg = document.importNode(parsed, true);
    this.svg.setAttribute("role", "img");
    this.svg.setAttribute("focusable", "false");
    this.svg.style.minWidth = `${SMALLEST * this.svg.viewBox.baseVal.width}px`;
    element.replaceChildren(this.svg);
    this.wires = this.collect(".wire");
    this.numbers = this.collect(".number");
    this.levels = this.collect(".level");
    this.valves = [...this.svg.querySelectorAll(".valve")].map((one) => new Valve(/** @type {SVGGElement} */ (one)));
    /** @type {number[]} nodes that are levels or valves, which are gates */
    this.gates = [...new Set([...this.levels, ...this.wires].map(({ node }) => node))];
  }

  /** @param {string} selector */
  collect(selector) {
    return [...this.svg.querySelectorAll(selector)].map((element) => ({
      element: /** @type {SVGElement} */ (element),
      node: Number(element.getAttribute("data-net")),
    }));
  }

  /**
   * @param {Map<number, number>} values of the wires, by node
   * @param {string} label what a screen reader says
   */
  show(values, label) {
    this.svg.setAttribute("aria-label", label);
    const scale = new Scale(false, STRONGEST);
    for (const { element, node } of this.wires) {
      const value = values.get(node);
      const known = value !== undefined && Number.isFinite(value);
      element.style.setProperty("--flow", known ? scale.css(value) : "var(--sketch-page)");
    }
    for (const { element, node } of this.numbers) {
      const words = format(values.get(node));
      if (element.textContent !== words) element.textContent = words;
    }
    for (const { element, node } of this.levels) {
      element.style.setProperty("--open", String(clamp(values.get(node) ?? 0)));
    }
    for (const valve of this.valves) valve.show(values, scale);
  }
}

class Valve {
  /**
   * A disc with two leaves, between which the stream runs.
   *
   * @param {SVGGElement} element
   */
  constructor(element) {
    this.element = element;
    this.gate = Number(element.dataset.gate);
    this.product = Number(element.dataset.net);
    const radius = Number(element.dataset.radius) * 1.12;
    element.setAttribute("transform", `translate(${element.dataset.x} ${element.dataset.y})`);
    const clip = `valve-${this.product}`;
    const path = make("clipPath", { id: clip });
    path.append(make("circle", { r: radius }));
    const inside = make("g", { "clip-path": `url(#${clip})` });
    this.stream = make("rect", { x: -radius, y: -radius, width: 2 * radius, height: 2 * radius, class: "stream" });
    const size = { x: -radius, width: 2 * radius, height: radius };
    this.upper = make("rect", { ...size, y: -radius, class: "leaf upper" });
    this.lower = make("rect", { ...size, y: 0, class: "leaf lower" });
    inside.append(this.stream, this.upper, this.lower);
    element.append(path, inside, make("circle", { r: radius, class: "rim" }));
    this.radius = radius;
  }

  /**
   * @param {Map<number, number>} values
   * @param {Scale} scale
   */
  show(values, scale) {
    const open = clamp(values.get(this.gate) ?? 0);
    const flow = values.get(this.product);
    this.stream.style.setProperty("--flow", flow === undefined ? "var(--sketch-page)" : scale.css(flow));
    this.upper.style.setProperty("--shift", `${(-open * this.radius).toFixed(2)}px`);
    this.lower.style.setProperty("--shift", `${(open * this.radius).toFixed(2)}px`);
    this.element.dataset.open = open.toFixed(3);
  }
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @returns {any}
 */
function make(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/** @param {number} value */
function clamp(value) {
  return Math.min(1, Math.max(0, Number.isFinite(value) ? value : 0));
}

/**
 * @param {number | undefined | null} value
 * @returns {string} with two places, as everywhere in the glass box
 */
export function format(value) {
  if (value === undefined || value === null || !Number.isFinite(value)) return "–";
  const words = Math.abs(value) < 100 ? value.toFixed(2) : value.toPrecision(3);
  return words === "-0.00" ? "0.00" : words.replace("-", "−");
}
