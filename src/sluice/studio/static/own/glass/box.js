/**
 * The glass box: one moment of a tune, shown in every part of the page at once.
 *
 * The moment is a step (pack.js), a layer and a unit; the colours are those of one value. It moves
 * by the player's notes, by a clock of its own, by keys, by the slider or by the mouse. Nothing is
 * asked of the server once the file is here.
 */

import { Player } from "../player.js";
import { text } from "../texts.js";
import { ScoreBands } from "./bands.js";
import { readWires } from "./cell.js";
import { NoteFollower, StepClock } from "./clock.js";
import { onThemeChange, Scale } from "./colours.js";
import { Controls } from "./controls.js";
import { OddsView } from "./odds.js";
import { Pack } from "./pack.js";
import { CellSketch } from "./sketch.js";
import { TimeMap } from "./time_map.js";
import { TokenStrip } from "./tokens.js";
import { describeGrammar, describeReason, describeStep, describeUnit, fillOdds, fillValues } from "./words.js";

class GlassBox {
  /**
   * @param {HTMLElement} root
   * @param {Pack} pack
   */
  constructor(root, pack) {
    this.root = root;
    this.pack = pack;
    this.place = pack.layers.length - 1;
    this.unit = 0;
    this.step = 0;
    this.value = this.layer.memory;
    this.pending = 0;
    this.sketch = new CellSketch(this.part("sketch"), pack.sketch);
    this.odds = new OddsView(this.part("odds"));
    this.strip = new TokenStrip(this.part("strip"), pack, (step) => this.go(step));
    this.map = new TimeMap(this.part("map"));
    this.map.addEventListener("choose", (event) => {
      const { step, unit } = /** @type {CustomEvent} */ (event).detail;
      this.chooseUnit(unit);
      this.go(step);
    });
    this.clock = new StepClock({
      move: (steps) => this.show(this.step + steps),
      isAtEnd: () => this.step >= pack.steps - 1,
      ended: () => this.controls.showRunning(false),
    });
    this.player = Player.of(/** @type {HTMLElement} */ (root.querySelector("[data-player]")));
    this.bands = new ScoreBands(this.player.score);
    this.follower = new NoteFollower(pack, (step) => this.show(step));
    this.listen();
    this.controls = new Controls(this);
    onThemeChange(() => this.recolour());
    this.controls.fillValues();
    this.controls.fillUnits();
    this.recolour();
    this.show(Math.min(pack.steps - 1, Math.max(1, pack.header.given + 2)));
    root.classList.add("is-ready");
  }

  get layer() {
    return this.pack.layers[this.place];
  }

  /**
   * The colours of the chosen value: of a gate from 0 to 1, else as far as the unit goes.
   *
   * @param {number} unit
   */
  scaleOf(unit) {
    const value = this.pack.find(this.layer, this.value);
    if (!value) return new Scale(false, 1);
    return new Scale(value.role === "gate", this.pack.limit(this.layer, value.array, unit));
  }

  get moment() {
    return { layer: this.layer, place: this.place, unit: this.unit, step: this.step };
  }

  /**
   * @param {string} name
   * @returns {HTMLElement}
   */
  part(name) {
    return /** @type {HTMLElement} */ (this.root.querySelector(`[data-part="${name}"]`));
  }

  listen() {
    const element = this.player.element;
    element.addEventListener("note-sounding", (event) => {
      const { mark, seconds } = /** @type {CustomEvent} */ (event).detail;
      this.run(false);
      this.follower.follow(mark, this.player.isPlaying ? seconds : 0);
    });
    element.addEventListener("player-state", (event) => {
      const { isPlaying } = /** @type {CustomEvent} */ (event).detail;
      if (!isPlaying) this.follower.stop();
      if (isPlaying) this.run(false);
      this.controls.showPlaying(isPlaying);
      this.part("caption").setAttribute("aria-live", isPlaying ? "off" : "polite");
      this.root.classList.toggle("is-moving", isPlaying);
    });
    element.addEventListener("note-chosen", (event) => {
      const { startChar } = /** @type {CustomEvent} */ (event).detail;
      const note = this.player.score.marks.findIndex((mark) => mark.startChar === startChar);
      const steps = this.pack.stepsOf(note);
      if (steps) this.go(steps.first);
    });
  }

  /** @param {boolean} isRunning */
  run(isRunning) {
    if (isRunning === this.clock.isRunning) return;
    if (isRunning) {
      this.player.pause();
      if (this.step >= this.pack.steps - 1) this.show(0);
      this.clock.start();
    } else this.clock.stop();
    this.part("caption").setAttribute("aria-live", isRunning ? "off" : "polite");
    this.root.classList.toggle("is-moving", isRunning);
    this.controls.showRunning(isRunning);
  }

  /** @param {number} step by hand: whatever moved by itself stops */
  go(step) {
    this.run(false);
    this.follower.stop();
    if (this.player.isPlaying) this.player.pause();
    this.show(step);
  }

  /** @param {number} bars on, or back if below 0 */
  goBar(bars) {
    const starts = [0];
    for (let step = 1; step < this.pack.steps; step++) {
      if (this.pack.bar(step) > this.pack.bar(step - 1)) starts.push(step);
    }
    const here = starts.findLastIndex((start) => start <= this.step);
    const isInside = bars < 0 && this.step > starts[here];
    this.go(starts[Math.min(starts.length - 1, Math.max(0, here + bars + (isInside ? 1 : 0)))]);
  }

  /** @param {number} place of the layer */
  chooseLayer(place) {
    const isKnown = this.pack.find(this.pack.layers[place], this.value);
    this.place = place;
    if (!isKnown) this.value = this.layer.memory;
    this.unit = Math.min(this.unit, this.layer.units.numbers.length - 1);
    this.controls.fillValues();
    this.controls.fillUnits();
    this.recolour();
    this.show(this.step);
  }

  /** @param {string} name */
  chooseValue(name) {
    this.value = name;
    this.recolour();
    this.show(this.step);
  }

  /** @param {number} unit its place among those shown */
  chooseUnit(unit) {
    const next = Math.min(this.layer.units.numbers.length - 1, Math.max(0, unit));
    if (next === this.unit) return;
    this.unit = next;
    this.recolourTune();
    this.show(this.step);
  }

  /** Paints what does not depend on the step. */
  recolour() {
    const value = this.pack.find(this.layer, this.value);
    if (!value) return;
    this.map.paint(this.pack, this.layer, value.array, (unit) => this.scaleOf(unit));
    this.recolourTune();
  }

  /** The score and the tokens, in the colours of one unit. */
  recolourTune() {
    const value = this.pack.find(this.layer, this.value);
    if (!value) return;
    const { pack, layer, unit } = this;
    const scale = this.scaleOf(unit);
    this.controls.showLegend(scale);
    const read = (/** @type {number} */ step) => pack.read(layer, value.array, step, unit);
    this.strip.colour(read, scale);
    this.bands.paint((note) => {
      const steps = pack.stepsOf(note);
      return steps && scale.css(read(steps.first));
    });
  }

  /** @param {number} step */
  show(step) {
    this.step = Math.min(this.pack.steps - 1, Math.max(0, step));
    cancelAnimationFrame(this.pending);
    this.pending = requestAnimationFrame(() => this.draw());
  }

  draw() {
    const { pack, layer, unit, step, moment } = this;
    this.root.dataset.step = String(step);
    this.map.place(step, unit);
    this.strip.place(step);
    this.odds.show(pack, step);
    this.lightNote();
    const values = readWires(pack, layer, step, unit);
    const sentences = describeUnit(pack, moment);
    const title = text("unit-title", { unit: layer.units.numbers[unit], layer: this.place + 1, layers: pack.layers.length, cell: layer.cell });
    this.sketch.show(values, `${title} ${sentences.join(" ")}`);
    this.say("unit", title);
    this.say("reason", describeReason(pack, moment));
    this.say("step", describeStep(pack, step));
    this.say("grammar", describeGrammar(pack, step));
    this.say("first", sentences[0]);
    this.say("others", sentences.slice(1).join(" "));
    fillValues(this.part("values"), pack, moment);
    fillOdds(this.part("odds-table"), pack, step);
    this.controls.place(step, unit);
  }

  /** Lights the note that the step reads, unless the player does. */
  lightNote() {
    const { score, isPlaying } = this.player;
    const note = this.step > 0 ? this.pack.header.notes[this.step - 1] : -1;
    const mark = score.marks[note];
    if (isPlaying || !mark) score.dim("is-read");
    else score.light(mark.startChar, mark.endChar, "is-read");
  }

  /**
   * @param {string} name
   * @param {string} words
   */
  say(name, words) {
    const element = this.root.querySelector(`[data-says="${name}"]`);
    if (element && element.textContent !== words) element.textContent = words;
  }
}

const root = /** @type {HTMLElement | null} */ (document.querySelector("[data-glass]"));
if (root) {
  Pack.fetch(root.dataset.glass ?? "").then(
    (pack) => new GlassBox(root, pack),
    () => {
      const notice = /** @type {HTMLElement} */ (root.querySelector("[data-part=notice]"));
      notice.textContent = text("missing");
      notice.hidden = false;
    },
  );
}

export { GlassBox };
