/** Bars selected in a score by mouse, touch and keys, and drawn behind its notes. */

import { text } from "../texts.js";

const SVG = "http://www.w3.org/2000/svg";

export class Selection {
  /** @param {import("../score.js").Score} score */
  constructor(score) {
    this.score = score;
    /** @type {number | null} where selecting began, and where it has come to */
    this.anchor = null;
    /** @type {number | null} */
    this.end = null;
    this.dragging = false;
    this.moved = false;
    const element = score.element;
    element.tabIndex = 0;
    score.sheet.addEventListener("pointerdown", (event) => this.press(event));
    score.sheet.addEventListener("pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel"]) {
      score.sheet.addEventListener(name, () => this.release());
    }
    element.addEventListener("keydown", (event) => this.handleKey(event));
  }

  /** @returns {{first: number | null, last: number | null}} */
  get bars() {
    if (this.anchor === null || this.end === null) return { first: null, last: null };
    return { first: Math.min(this.anchor, this.end), last: Math.max(this.anchor, this.end) };
  }

  /**
   * @param {number} first
   * @param {number} [last]
   */
  select(first, last = first) {
    const most = this.score.bars.length - 1;
    if (most < 0) return;
    this.anchor = Math.max(0, Math.min(first, most));
    this.end = Math.max(0, Math.min(last, most));
    this.show();
    this.tell();
  }

  clear() {
    if (this.anchor === null) return;
    this.anchor = this.end = null;
    this.show();
    this.tell();
  }

  /** After the score was drawn anew. */
  restore() {
    if (this.anchor === null || this.end === null) return;
    const most = this.score.bars.length - 1;
    if (Math.max(this.anchor, this.end) > most) this.clear();
    else this.show();
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button !== 0) return;
    const bar = this.findBar(event);
    this.chooseNote(event);
    if (bar === null) return;
    const { first, last } = this.bars;
    const isTouch = event.pointerType === "touch";
    if (first !== null && last !== null && bar >= first && bar <= last && !event.shiftKey) {
      // A second press on what is selected alone, or anywhere in it by touch, takes it back.
      if (isTouch || first === last) return this.clear();
    }
    if ((event.shiftKey || isTouch) && this.anchor !== null) this.select(this.anchor, bar);
    else this.select(bar);
    this.dragging = !isTouch;
    if (!isTouch) event.preventDefault();
    this.score.element.focus({ preventScroll: true });
  }

  /** @param {PointerEvent} event */
  drag(event) {
    if (!this.dragging || this.anchor === null) return;
    const bar = this.findBar(event);
    if (bar !== null && bar !== this.end) {
      this.end = bar;
      this.moved = true;
      this.show();
    }
  }

  release() {
    if (this.dragging && this.moved) this.tell();
    this.dragging = this.moved = false;
  }

  /** @param {KeyboardEvent} event */
  handleKey(event) {
    if (event.target !== this.score.element || event.ctrlKey || event.metaKey || event.altKey) return;
    const most = this.score.bars.length - 1;
    const here = this.end ?? -1;
    /** @type {Record<string, number>} */
    const goals = { ArrowRight: here + 1, ArrowLeft: here < 0 ? most : here - 1, Home: 0, End: most };
    if (event.key === "Escape" && this.anchor !== null) {
      this.clear();
    } else if (event.key in goals && most >= 0) {
      const goal = Math.max(0, Math.min(goals[event.key], most));
      this.select(event.shiftKey && this.anchor !== null ? this.anchor : goal, goal);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * @param {MouseEvent} event
   * @returns {number | null} the bar at a place of the screen
   */
  findBar(event) {
    const svg = this.score.sheet.querySelector("svg");
    const matrix = svg?.getScreenCTM();
    if (!svg || !matrix) return null;
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    const found = this.score.bars.findIndex((bar) => {
      const { top, bottom } = this.measureLine(svg, bar.line);
      const inside = point.x >= bar.left && point.x <= bar.right;
      return inside && point.y >= top - 28 && point.y <= bottom + 28;
    });
    return found < 0 ? null : found;
  }

  /** @param {MouseEvent} event */
  chooseNote(event) {
    const target = /** @type {Element} */ (event.target);
    const mark = this.score.marks.find((each) => each.elements.some((part) => part.contains(target)));
    if (!mark) return;
    const { startChar, endChar, bar } = mark;
    this.score.send("note-chosen", { startChar, endChar, bar });
  }

  /**
   * @param {SVGSVGElement} svg
   * @param {number} line
   */
  measureLine(svg, line) {
    const staff = /** @type {SVGGraphicsElement | null} */ (svg.querySelector(`.abcjs-staff.abcjs-l${line}`));
    const box = staff?.getBBox();
    return box ? { top: box.y, bottom: box.y + box.height } : { top: 0, bottom: 0 };
  }

  show() {
    const svg = this.score.sheet.querySelector("svg");
    for (const old of this.score.sheet.querySelectorAll(".bar-selected")) old.remove();
    const { first, last } = this.bars;
    if (!svg || first === null || last === null) return;
    for (const bar of this.score.bars.slice(first, last + 1)) {
      const { top, bottom } = this.measureLine(svg, bar.line);
      const box = document.createElementNS(SVG, "rect");
      box.setAttribute("class", "bar-selected");
      box.setAttribute("x", String(bar.left));
      box.setAttribute("y", String(top - 14));
      box.setAttribute("width", String(Math.max(0, bar.right - bar.left)));
      box.setAttribute("height", String(bottom - top + 28));
      svg.prepend(box);
    }
  }

  tell() {
    const { first, last } = this.bars;
    if (first === null || last === null) this.score.notice.textContent = "";
    else {
      const key = first === last ? "bar-selected" : "bars-selected";
      this.score.notice.textContent = text(key, { first: first + 1, last: last + 1 });
    }
    this.score.send("bars-selected", { first, last });
  }
}
