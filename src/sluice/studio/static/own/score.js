/**
 * A score: ABC drawn into an element, growing as a tune is written, in which bars are selected.
 *
 *     import { Score } from ".../own/score.js";
 *     const score = new Score(element);     // any block element; its content is replaced
 *     await score.draw(abc);                // now, whatever has changed
 *     score.grow(abc);                      // only if `abc` has more bar lines than what is drawn
 *
 * Bars are counted as in Sluice's `tune.score.bars`: from 0, in written order. They are selected by
 * the mouse (click, drag, shift-click), by touch (tap, tap another), and by keys while the score is
 * focused (arrows, Home, End, with shift; Escape).
 *
 * Events, on the element, bubbling:
 *   `score-drawn`    {bars: number, marks: number}
 *   `bars-selected`  {first, last} places of bars, both included; null and null where none is
 *   `note-chosen`    {startChar, endChar, bar} of the note that was clicked, places in the ABC
 *
 * Attributes: `data-selectable="false"` leaves selecting out; `data-label` names the score for
 * screen readers. Problems and warnings appear as text below the score.
 */

import { prepare } from "./score/abc.js";
import { loadAbcjs } from "./score/abcjs.js";
import { readBars } from "./score/bars.js";
import { engrave } from "./score/layout.js";
import { Selection } from "./score/selection.js";
import { drawTablature } from "./score/tablature.js";
import { text } from "./texts.js";

/** @typedef {import("./score/bars.js").Bar} Bar */
/** @typedef {import("./score/bars.js").Mark} Mark */

const ACCIDENTALS = new Map([["#", "♯"], ["b", "♭"]]);

export class Score {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    this.abc = "";
    /** @type {any} what abcjs has drawn; null before, and after a problem */
    this.tune = null;
    /** @type {Bar[]} */
    this.bars = [];
    /** @type {Mark[]} */
    this.marks = [];
    this.transpose = 0;
    /** @type {string} "", "whistle", "fiddle", "mandolin" or "guitar" */
    this.tablature = "";
    /** @type {string | null} */
    this.drawnAbc = null;
    this.drawnLines = -1;
    this.drawnWidth = 0;
    this.pending = 0;
    this.isGrowing = false;

    element.classList.add("score");
    this.sheet = document.createElement("div");
    this.sheet.className = "score-sheet";
    this.notice = document.createElement("p");
    this.notice.className = "score-notice";
    this.notice.setAttribute("role", "status");
    element.replaceChildren(this.sheet, this.notice);
    this.selection = element.dataset.selectable === "false" ? null : new Selection(this);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(element);
  }

  /**
   * @param {string} abc
   * @returns {Promise<void>} when it stands there
   */
  async draw(abc) {
    this.isGrowing = false;
    this.drawnAbc = null;
    await this.show(abc);
  }

  /** @param {string} abc */
  async show(abc) {
    this.abc = abc;
    this.abcjs = await loadAbcjs();
    if (this.drawnAbc !== this.abc) this.redraw();
  }

  /**
   * Draws at bar lines only, at most once a frame.
   *
   * @param {string} abc
   */
  grow(abc) {
    this.abc = abc;
    if (countBarLines(abc) <= this.drawnLines) return;
    this.isGrowing = true;
    cancelAnimationFrame(this.pending);
    this.pending = requestAnimationFrame(() => void this.show(this.abc));
  }

  /** Empty, for a tune that begins anew. */
  clear() {
    this.abc = "";
    this.drawnAbc = null;
    this.drawnLines = -1;
    this.tune = null;
    this.bars = [];
    this.marks = [];
    this.sheet.replaceChildren();
    this.notice.textContent = "";
    this.selection?.clear();
  }

  /** @param {number} semitones */
  setTranspose(semitones) {
    if (semitones === this.transpose) return;
    this.transpose = semitones;
    if (this.tune) this.redraw();
  }

  /** @param {string} instrument */
  setTablature(instrument) {
    if (instrument === this.tablature) return;
    this.tablature = instrument;
    if (this.tune) this.redraw();
  }

  /**
   * Lights what lies between two places of the ABC, and nothing else.
   *
   * @param {number} startChar
   * @param {number} endChar
   * @param {string} [name] the class that lights it
   */
  light(startChar, endChar, name = "is-sounding") {
    this.dim(name);
    for (const mark of this.marks) {
      if (mark.startChar >= endChar || mark.endChar <= startChar) continue;
      for (const part of mark.elements) part.classList.add(name);
    }
  }

  /** @param {string} [name] */
  dim(name = "is-sounding") {
    for (const part of this.sheet.querySelectorAll(`.${name}`)) part.classList.remove(name);
  }

  redraw() {
    const { abc, problem } = prepare(this.abc);
    this.drawnAbc = this.abc;
    this.drawnLines = countBarLines(this.abc);
    this.drawnWidth = this.element.clientWidth;
    if (problem) {
      this.fail(text(problem.key, problem.values));
      return;
    }
    try {
      this.tune = engrave(this.abcjs, this.sheet, abc, {
        width: this.element.clientWidth,
        label: this.element.dataset.label || text("score"),
        transpose: this.transpose,
        tablature: this.tablature,
        isGrowing: this.isGrowing,
      });
      ({ bars: this.bars, marks: this.marks } = readBars(this.tune));
    } catch {
      this.fail(text("score-unreadable"));
      return;
    }
    const svg = this.sheet.querySelector("svg");
    // The sizes that abcjs sets in styles are player.css's to set.
    for (const part of [this.sheet, svg]) part?.removeAttribute("style");
    svg?.querySelector("title")?.remove();
    if (svg && this.tablature === "whistle") drawTablature(svg, this);
    this.notice.textContent = describeWarnings(this.tune);
    this.describe();
    this.selection?.restore();
    this.send("score-drawn", { bars: this.bars.length, marks: this.marks.length });
  }

  /** @param {string} sentence */
  fail(sentence) {
    this.tune = null;
    this.bars = [];
    this.marks = [];
    this.sheet.replaceChildren();
    this.notice.textContent = sentence;
    this.send("score-drawn", { bars: 0, marks: 0 });
  }

  /** What a screen reader says of the drawing. */
  describe() {
    const { root = "", acc = "", mode = "" } = this.tune.getKeySignature() ?? {};
    const { num = "", den = "" } = this.tune.getMeterFraction() ?? {};
    const label = text("score-label", {
      title: this.element.dataset.label ?? "",
      bars: this.bars.length,
      key: `${root === "none" ? "" : root}${ACCIDENTALS.get(acc) ?? acc} ${text(`mode-${mode || "major"}`)}`,
      meter: `${num}/${den}`,
    });
    this.element.setAttribute("aria-label", label);
    if (!this.element.hasAttribute("role")) this.element.setAttribute("role", "group");
  }

  resize() {
    if (!this.tune || Math.abs(this.element.clientWidth - this.drawnWidth) < 8) return;
    cancelAnimationFrame(this.pending);
    this.pending = requestAnimationFrame(() => this.redraw());
  }

  /**
   * @param {string} name
   * @param {object} detail
   */
  send(name, detail) {
    this.element.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }
}

/** @param {string} abc */
function countBarLines(abc) {
  return (abc.match(/\|+|::/g) ?? []).length;
}

/** @param {any} tune */
function describeWarnings(tune) {
  const [first] = tune.warnings ?? [];
  if (!first) return "";
  const place = /:(\d+):(\d+):/.exec(first);
  const plain = decode(first.replace(/<[^>]*>/g, "").replace(/^.*?:\d+:\d+:\s*/, "")).slice(0, 120);
  if (!place) return text("score-warning", { warning: plain });
  return text("score-warning-place", { line: place[1], column: place[2], warning: plain });
}

/**
 * @param {string} warning of abcjs, which writes HTML
 */
function decode(warning) {
  return warning.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
