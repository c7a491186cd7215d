/**
 * A player: a score with its controls, tablature, and the sounding note lit.
 *
 * Every `[data-player]` of a page (the macro `player` of templates/player.html) becomes one by
 * itself; for one that a module has added: `const player = Player.of(element)`, then
 *
 *     player.score                    the `Score` (score.js); `player.score.grow(abc)` while a tune
 *                                     is written
 *     await player.setAbc(abc)        another tune, drawn
 *     await player.play(); player.pause(); player.toggle()
 *     player.seekToMark(index)        to a note or rest, its place in `score.marks`
 *     player.position                 where it sounds, in whole notes since the tune's beginning
 *     player.isPlaying
 *
 * Events, on the element, bubbling, beside those of the score:
 *   `note-sounding`  {mark, startChar, endChar, bar, position, seconds}: a note of the melody begins;
 *                    `mark` is its place among the written notes and rests, `seconds` its length now
 *   `player-state`   {isPlaying}
 *
 * Inside: `[data-score]`, `[data-abc]` (the text), `[data-controls]` (hidden without script) and in
 * it `[data-control=NAME]` for play, loop, count-in, tempo, transpose, instrument, chords,
 * tablature and help, and `[data-shown=NAME]` for what is said of tempo and place.
 */

import { linkText } from "./player/abc_text.js";
import { Clock } from "./player/clock.js";
import { followKeys } from "./player/keys.js";
import { clamp, readSettings, writeSettings } from "./player/settings.js";
import { findContext, GUITAR, load } from "./player/sounds.js";
import { buildTimeline } from "./player/timeline.js";
import { Score } from "./score.js";
import { text } from "./texts.js";

/** Seconds of the tune that must be there before it begins; the rest comes while it plays. */
const FIRST_SECONDS = 2;

/** @type {WeakMap<Element, Player>} */
const players = new WeakMap();
/** @type {Player | null} */
let sounding = null;

export class Player {
  /**
   * @param {HTMLElement} element
   * @returns {Player} the one of this element
   */
  static of(element) {
    let player = players.get(element);
    if (!player) players.set(element, (player = new Player(element)));
    return player;
  }

  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    this.settings = readSettings();
    this.isLooping = false;
    /** @type {{first: number | null, last: number | null}} */
    this.selected = { first: null, last: null };
    this.lit = -1;
    /** @type {import("./player/timeline.js").Timeline | null} */
    this.timeline = null;
    this.clock = new Clock(() => this.ended());
    this.score = new Score(/** @type {HTMLElement} */ (element.querySelector("[data-score]")));
    this.score.transpose = this.settings.transpose;
    this.score.tablature = this.settings.tablature;
    this.connect();
    this.apply();
    followKeys(this);
    const shown = /** @type {HTMLElement | null} */ (element.querySelector("[data-abc]"));
    if (shown) linkText(this, shown);
    if (shown?.textContent?.trim()) void this.setAbc(shown.textContent);
  }

  get isPlaying() {
    return this.clock.isPlaying;
  }

  get position() {
    return this.clock.now();
  }

  /** @param {string} abc */
  async setAbc(abc) {
    if (abc !== this.score.abc) {
      this.pause();
      this.timeline = null;
      this.clock.position = 0;
    }
    const shown = this.element.querySelector("[data-abc]");
    if (shown && shown.textContent !== abc) shown.textContent = abc;
    await this.score.draw(abc);
  }

  /** @returns {Promise<void>} when it sounds */
  async play() {
    if (this.isPlaying) return;
    const context = findContext();
    const resumed = context.resume();
    if (!this.prepare()) return;
    sounding?.pause();
    sounding = this;
    this.showState(true);
    try {
      await Promise.all([resumed, this.loadSounds()]);
    } catch {
      this.showState(false);
      this.score.notice.textContent = text("sound-missing");
      return;
    }
    if (sounding !== this || this.isPlaying) return;
    this.clock.start(this.settings.countIn ? this.countIn() : 0);
    this.follow();
  }

  pause() {
    if (sounding === this) sounding = null;
    if (!this.isPlaying) return;
    this.clock.stop();
    this.showState(false);
  }

  toggle() {
    if (this.isPlaying || sounding === this) {
      this.pause();
      this.showState(false);
      return;
    }
    return this.play();
  }

  /** @param {boolean} isLooping */
  setLoop(isLooping) {
    this.isLooping = isLooping;
    this.clock.loop = isLooping ? this.findLoop() : null;
    this.control("loop")?.setAttribute("aria-pressed", String(isLooping));
    const { loop, position } = this.clock;
    if (this.isPlaying && loop && (this.position < loop.start || this.position >= loop.end)) {
      this.clock.seek(loop.start);
    } else if (loop && !this.isPlaying && (position < loop.start || position >= loop.end)) {
      this.clock.position = loop.start;
    }
  }

  /** @param {number} tempo in per cent */
  setTempo(tempo) {
    this.change({ tempo: clamp(Math.round(tempo), 30, 200) });
  }

  /**
   * @param {number} steps bars, back or on
   */
  moveBar(steps) {
    if (!this.prepare()) return;
    const { passages } = /** @type {import("./player/timeline.js").Timeline} */ (this.timeline);
    const position = this.position + 1e-6;
    const here = passages.findLastIndex((passage) => passage.start <= position);
    // Back means the beginning of this bar first, as on a tape.
    const isInside = here >= 0 && position - passages[here].start > 0.1;
    const goal = clamp(here + (steps < 0 && isInside ? steps + 1 : steps), 0, passages.length - 1);
    if (passages.length) this.seek(passages[goal].start);
  }

  /** @param {number} mark its place in `score.marks` */
  seekToMark(mark) {
    if (!this.prepare()) return;
    const { bar, offset } = this.score.marks[mark] ?? {};
    const passage = this.timeline?.passages.find((each) => each.bar === bar);
    if (passage) this.seek(passage.start + offset);
  }

  /** @param {number} position in whole notes */
  seek(position) {
    this.clock.seek(position);
    this.showPlace();
    if (!this.isPlaying) this.lightAt(position);
  }

  showHelp() {
    const help = /** @type {HTMLDialogElement | null} */ (document.querySelector("[data-player-help]"));
    help?.showModal();
  }

  // What follows serves the methods above.

  /** @returns {boolean} whether there is something to play */
  prepare() {
    if (!this.score.tune) return false;
    if (!this.timeline) {
      this.timeline = buildTimeline(this.score);
      this.clock.timeline = this.timeline;
      if (this.isLooping) this.clock.loop = this.findLoop();
    }
    return this.timeline.notes.length > 0;
  }

  async loadSounds() {
    const { notes, secondsPerWhole } = /** @type {import("./player/timeline.js").Timeline} */ (this.timeline);
    const soon = this.clock.position + (FIRST_SECONDS * this.clock.tempo) / secondsPerWhole;
    /** @type {Promise<void>[]} */
    const first = [];
    /** @type {Promise<void>[]} */
    const later = [];
    for (const note of notes) {
      if (note.isChord && !this.clock.hasChords) continue;
      const sound = load(note.isChord ? GUITAR : this.clock.instrument, note.pitch + this.clock.transpose);
      const isFirst = note.start >= this.clock.position && note.start <= soon;
      (isFirst ? first : later).push(sound);
    }
    void Promise.all(later).catch(() => {
      this.pause();
      this.score.notice.textContent = text("sound-missing");
    });
    await Promise.all(first);
  }

  /** @returns {number} whole notes: a bar, and what an upbeat leaves of the next */
  countIn() {
    const { barLength, passages } = /** @type {import("./player/timeline.js").Timeline} */ (this.timeline);
    const here = passages.find((passage) => passage.end > this.clock.position + 1e-6);
    const upbeat = here && here.bar === 0 ? here.end - here.start : barLength;
    return barLength + (upbeat < barLength - 1e-6 ? barLength - upbeat : 0);
  }

  /** @returns {{start: number, end: number}} the bars selected, or all */
  findLoop() {
    const { first, last } = this.selected;
    const passages = this.timeline?.passages ?? [];
    const from = passages.findIndex((passage) => passage.bar === first);
    const to = passages.findIndex((passage, place) => place >= from && passage.bar === last);
    if (from < 0 || to < 0) return { start: 0, end: this.timeline?.length ?? Infinity };
    return { start: passages[from].start, end: passages[to].end };
  }

  ended() {
    if (sounding === this) sounding = null;
    this.score.dim();
    this.lit = -1;
    this.showState(false);
    this.showPlace();
  }

  follow() {
    if (!this.isPlaying) return;
    this.lightAt(this.position);
    this.showPlace();
    requestAnimationFrame(() => this.follow());
  }

  /** @param {number} position */
  lightAt(position) {
    const notes = this.timeline?.notes ?? [];
    const place = notes.findLastIndex(
      (note) => !note.isChord && note.start <= position + 1e-6 && position < note.start + note.duration,
    );
    if (place < 0 || place === this.lit) return;
    this.lit = place;
    const { startChar, endChar, mark, start, duration } = notes[place];
    this.score.light(startChar, endChar);
    const seconds = duration / this.clock.speed;
    const bar = this.score.marks[mark]?.bar ?? -1;
    this.send("note-sounding", { mark, startChar, endChar, bar, position: start, seconds });
  }

  connect() {
    const { element } = this;
    this.on("play", "click", () => void this.toggle());
    this.on("loop", "click", () => this.setLoop(!this.isLooping));
    this.on("help", "click", () => this.showHelp());
    this.on("tempo", "input", (control) => this.setTempo(Number(control.value)));
    this.on("transpose", "change", (control) => this.change({ transpose: Number(control.value) }));
    this.on("instrument", "change", (control) => {
      this.change({ instrument: control.value === "fiddle" ? "fiddle" : "flute" });
    });
    this.on("chords", "change", (control) => this.change({ chords: control.checked }));
    this.on("count-in", "change", (control) => this.change({ countIn: control.checked }));
    this.on("tablature", "change", (control) => this.change({ tablature: control.value }));
    element.addEventListener("bars-selected", (event) => {
      this.selected = /** @type {CustomEvent} */ (event).detail;
      if (!this.prepare()) return;
      if (this.isLooping) this.setLoop(true);
      else if (!this.isPlaying && this.selected.first !== null) this.clock.position = this.findLoop().start;
      this.showPlace();
    });
    element.addEventListener("score-drawn", () => {
      this.lit = -1;
      this.showPlace();
      if (!this.isPlaying) this.timeline = null;
    });
    const controls = /** @type {HTMLElement | null} */ (element.querySelector("[data-controls]"));
    if (controls) controls.hidden = false;
    const abc = element.querySelector("details[data-abc-text]");
    abc?.removeAttribute("open");
  }

  /** @param {Partial<import("./player/settings.js").Settings>} changes */
  change(changes) {
    Object.assign(this.settings, changes);
    writeSettings(this.settings);
    this.apply();
    this.score.setTranspose(this.settings.transpose);
    this.score.setTablature(this.settings.tablature);
    if (this.isPlaying) void this.loadSounds().catch(() => this.pause());
  }

  /** The settings, as the clock follows and the controls show them. */
  apply() {
    const { tempo, transpose, instrument, chords, countIn, tablature } = this.settings;
    this.clock.transpose = transpose;
    this.clock.instrument = instrument;
    this.clock.hasChords = chords;
    this.clock.setTempo(tempo / 100);
    /** @type {Record<string, string | boolean>} */
    const values = { tempo: String(tempo), transpose: String(transpose), instrument, tablature, chords, "count-in": countIn };
    for (const [name, value] of Object.entries(values)) {
      const control = this.control(name);
      if (!control) continue;
      if (typeof value === "boolean") control.checked = value;
      else control.value = value;
    }
    const shown = this.element.querySelector("[data-shown=tempo]");
    if (shown) shown.textContent = text("tempo-shown", { tempo });
  }

  /** @param {boolean} isPlaying */
  showState(isPlaying) {
    const button = this.control("play");
    button?.setAttribute("aria-pressed", String(isPlaying));
    const label = this.element.querySelector("[data-shown=play]");
    if (label) label.textContent = text(isPlaying ? "pause" : "play");
    this.element.classList.toggle("is-playing", isPlaying);
    this.send("player-state", { isPlaying });
  }

  showPlace() {
    const shown = this.element.querySelector("[data-shown=place]");
    if (!shown) return;
    const passages = this.timeline?.passages ?? [];
    const position = this.position + 1e-6;
    const bar = passages.findLast((passage) => passage.start <= position)?.bar ?? 0;
    const words = this.score.bars.length
      ? text("place-shown", { bar: bar + 1, bars: this.score.bars.length })
      : "";
    if (shown.textContent !== words) shown.textContent = words;
  }

  /**
   * @param {string} name
   * @returns {HTMLInputElement | null}
   */
  control(name) {
    return this.element.querySelector(`[data-control="${name}"]`);
  }

  /**
   * @param {string} name
   * @param {string} event
   * @param {(control: HTMLInputElement) => void} action
   */
  on(name, event, action) {
    const control = this.control(name);
    control?.addEventListener(event, () => action(control));
  }

  /**
   * @param {string} name
   * @param {object} detail
   */
  send(name, detail) {
    this.element.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }
}

for (const element of document.querySelectorAll("[data-player]")) {
  Player.of(/** @type {HTMLElement} */ (element));
}
