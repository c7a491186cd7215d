/**
 * Units over time as a heat map, and below it how much of its memory the layer keeps on average.
 *
 * Both share one axis: a column for each step, bar lines across. They are painted once for a value;
 * what moves is only the playhead above them.
 */

import { text } from "../texts.js";
import { nameValue } from "./words.js";

/** @typedef {import("./pack.js").Pack} Pack */
/** @typedef {import("./pack.js").Layer} Layer */
/** @typedef {import("./colours.js").Scale} Scale */

const GUTTER = 26;
const TOP = 18;
const STRIP = 84;
const GAP = 26;
const BOTTOM = 6;

export class TimeMap extends EventTarget {
  /** @param {HTMLElement} element with `canvas`, `[data-playhead]`, `[data-unit-line]` */
  constructor(element) {
    super();
    this.element = element;
    this.canvas = /** @type {HTMLCanvasElement} */ (element.querySelector("canvas"));
    this.playhead = /** @type {HTMLElement} */ (element.querySelector("[data-playhead]"));
    this.line = /** @type {HTMLElement} */ (element.querySelector("[data-unit-line]"));
    /** @type {(() => void) | null} */
    this.repaint = null;
    this.step = 0;
    this.unit = 0;
    this.steps = 1;
    this.rows = 1;
    this.rowHeight = 6;
    new ResizeObserver(() => this.repaint?.()).observe(element);
    let isHeld = false;
    element.addEventListener("pointerdown", (event) => {
      isHeld = true;
      element.setPointerCapture(event.pointerId);
      this.choose(event, true);
    });
    element.addEventListener("pointermove", (event) => isHeld && this.choose(event, false));
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, () => (isHeld = false));
  }

  get width() {
    return this.element.clientWidth;
  }

  get column() {
    return (this.width - GUTTER) / this.steps;
  }

  /**
   * @param {PointerEvent} event
   * @param {boolean} isFirst whether the unit may change as well, as it does not while dragging
   */
  choose(event, isFirst) {
    const box = this.element.getBoundingClientRect();
    const step = Math.floor((event.clientX - box.left - GUTTER) / this.column);
    const row = Math.floor((event.clientY - box.top - TOP) / this.rowHeight);
    const isRow = isFirst && row >= 0 && row < this.rows;
    const detail = { step: Math.min(this.steps - 1, Math.max(0, step)), unit: isRow ? row : this.unit };
    this.dispatchEvent(new CustomEvent("choose", { detail }));
  }

  /**
   * @param {Pack} pack
   * @param {Layer} layer
   * @param {string} array of the value
   * @param {(unit: number) => Scale} scaleOf
   */
  paint(pack, layer, array, scaleOf) {
    this.repaint = () => this.draw(pack, layer, array, scaleOf);
    this.repaint();
  }

  /**
   * @param {Pack} pack
   * @param {Layer} layer
   * @param {string} array
   * @param {(unit: number) => Scale} scaleOf
   */
  draw(pack, layer, array, scaleOf) {
    this.steps = pack.steps;
    this.rows = layer.units.numbers.length;
    this.rowHeight = Math.max(this.width < 560 ? 4.5 : 6, Math.min(14, 200 / this.rows));
    const height = TOP + this.rows * this.rowHeight + GAP + STRIP + BOTTOM;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.height = `${height}px`;
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    context.scale(ratio, ratio);
    const style = getComputedStyle(this.element);
    const colours = { ink: style.color, faint: style.getPropertyValue("--line"), muted: style.getPropertyValue("--muted"), fill: style.getPropertyValue("--kept") };
    context.font = `11px ${style.fontFamily}`;
    this.paintCells(context, pack, layer, array, scaleOf);
    this.paintGroups(context, layer, colours);
    this.paintBars(context, pack, colours);
    this.paintKept(context, pack, layer, colours);
    this.place(this.step, this.unit);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Pack} pack
   * @param {Layer} layer
   * @param {string} array
   * @param {(unit: number) => Scale} scaleOf
   */
  paintCells(context, pack, layer, array, scaleOf) {
    const image = new ImageData(this.steps, this.rows);
    for (let row = 0; row < this.rows; row++) {
      const scale = scaleOf(row);
      for (let step = 0; step < this.steps; step++) {
        const at = 4 * (row * this.steps + step);
        image.data.set(scale.rgb(pack.read(layer, array, step, row)), at);
        image.data[at + 3] = 255;
      }
    }
    const small = new OffscreenCanvas(this.steps, this.rows);
    /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, GUTTER, TOP, this.width - GUTTER, this.rows * this.rowHeight);
  }

  /**
   * What the units were chosen for, at the left.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {Layer} layer
   * @param {{ink: string, muted: string}} colours
   */
  paintGroups(context, layer, colours) {
    const { reasons } = layer.units;
    for (let start = 0; start < reasons.length; ) {
      let stop = start;
      while (reasons[stop] === reasons[start]) stop++;
      const [top, bottom] = [TOP + start * this.rowHeight, TOP + stop * this.rowHeight];
      context.strokeStyle = context.fillStyle = colours.muted;
      context.beginPath();
      context.moveTo(GUTTER - 4.5, top + 2);
      context.lineTo(GUTTER - 4.5, bottom - 2);
      context.stroke();
      context.save();
      context.translate(GUTTER - 11, (top + bottom) / 2);
      context.rotate(-Math.PI / 2);
      context.textAlign = "center";
      context.textBaseline = "middle";
      const words = text(`group-${reasons[start]}`);
      if (context.measureText(words).width < bottom - top) context.fillText(words, 0, -1);
      context.restore();
      start = stop;
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Pack} pack
   * @param {{ink: string, faint: string, muted: string}} colours
   */
  paintBars(context, pack, colours) {
    const bottom = TOP + this.rows * this.rowHeight;
    const { lines, bars } = pack.header;
    let free = 0;
    for (const [token, isLine] of lines.entries()) {
      if (!isLine) continue;
      const x = Math.round(GUTTER + (token + 1.5) * this.column) + 0.5;
      context.strokeStyle = colours.ink;
      context.globalAlpha = 0.35;
      context.beginPath();
      context.moveTo(x, TOP);
      context.lineTo(x, bottom);
      context.stroke();
      context.globalAlpha = 1;
      const next = bars.slice(token + 1).find((/** @type {number} */ bar) => bar > bars[token]);
      if (next === undefined || x < free) continue;
      context.fillStyle = colours.muted;
      context.textAlign = "left";
      context.textBaseline = "alphabetic";
      context.fillText(String(next + 1), x + 2, TOP - 5);
      free = x + 22;
    }
  }

  /**
   * The mean share of its memory that the layer keeps.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {Pack} pack
   * @param {Layer} layer
   * @param {{ink: string, faint: string, muted: string, fill: string}} colours
   */
  paintKept(context, pack, layer, colours) {
    const top = TOP + this.rows * this.rowHeight + GAP;
    context.fillStyle = colours.muted;
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
    const gate = layer.kept && nameValue(layer.kept.gate || layer.kept.state);
    const titles = gate ? ["kept-title", "kept-short"].map((key) => text(key, { gate })) : [text(layer.is_carried_over ? "kept-unknown" : "kept-none")];
    const isNarrow = context.measureText(titles[0]).width > this.width - GUTTER;
    context.fillText(isNarrow ? titles[titles.length - 1] : titles[0], GUTTER, top - 7);
    if (!layer.kept) return;
    const values = pack.arrays[layer.kept.array];
    const y = (/** @type {number} */ value) => top + STRIP * (1 - Math.min(1, Math.max(0, value)));
    context.beginPath();
    context.moveTo(GUTTER, top + STRIP);
    for (let step = 0; step < this.steps; step++) {
      context.lineTo(GUTTER + step * this.column, y(values[step]));
      context.lineTo(GUTTER + (step + 1) * this.column, y(values[step]));
    }
    context.lineTo(this.width, top + STRIP);
    context.closePath();
    context.fillStyle = colours.fill;
    context.globalAlpha = 0.45;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = colours.faint;
    for (const [share, words] of [[1, "100"], [0.5, "50"], [0, "0"]]) {
      const at = Math.round(y(Number(share))) + 0.5;
      context.beginPath();
      context.moveTo(GUTTER, at);
      context.lineTo(this.width, at);
      context.stroke();
      context.fillStyle = colours.muted;
      context.textAlign = "right";
      context.textBaseline = "middle";
      context.fillText(String(words), GUTTER - 3, at);
    }
    for (const [token, isLine] of pack.header.lines.entries()) {
      if (!isLine) continue;
      const left = GUTTER + (token + 1) * this.column;
      context.fillStyle = colours.ink;
      context.fillRect(left, y(values[token + 1]) - 1, this.column, 2);
      context.globalAlpha = 0.3;
      context.fillRect(left + this.column / 2 - 0.5, top, 1, STRIP);
      context.globalAlpha = 1;
    }
  }

  /**
   * @param {number} step
   * @param {number} unit
   */
  place(step, unit) {
    this.step = step;
    this.unit = unit;
    const x = GUTTER + step * this.column;
    this.playhead.style.width = `${Math.max(2, this.column).toFixed(2)}px`;
    this.playhead.style.transform = `translateX(${x.toFixed(2)}px)`;
    this.line.style.height = `${this.rowHeight}px`;
    this.line.style.transform = `translateY(${(TOP + unit * this.rowHeight).toFixed(2)}px)`;
  }
}
