/**
 * Plays a timeline: notes are handed to the sound card shortly before they are due, so that tempo,
 * transposition, instrument and loop change while it plays.
 */

import { find, findContext, GUITAR } from "./sounds.js";

/** Seconds that are scheduled ahead, and between two looks. */
const AHEAD = 0.2;
const LOOK = 0.05;
/** Six notes at full loudness stay below full scale. */
const GAIN = 0.35;
const RELEASE = 0.06;
const CROSSFADE = 0.12;

/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {{time: number, position: number, speed: number}} Anchor speed in whole notes a second */

export class Clock {
  /** @param {() => void} onEnd */
  constructor(onEnd) {
    this.onEnd = onEnd;
    /** @type {Timeline | null} */
    this.timeline = null;
    this.tempo = 1;
    this.transpose = 0;
    /** @type {import("./sounds.js").Instrument} */
    this.instrument = "flute";
    this.hasChords = true;
    /** @type {{start: number, end: number} | null} */
    this.loop = null;
    this.position = 0;
    this.isPlaying = false;
    /** @type {Anchor[]} what is scheduled: the last one may lie ahead of now */
    this.anchors = [];
    this.cursor = 0;
    /** @type {Set<AudioBufferSourceNode | OscillatorNode>} */
    this.sources = new Set();
    this.timer = 0;
    /** @type {GainNode | null} */
    this.output = null;
  }

  get speed() {
    return this.timeline ? this.tempo / this.timeline.secondsPerWhole : 1;
  }

  /** @param {number} countIn whole notes of clicks before it begins */
  start(countIn) {
    const context = findContext();
    this.output = context.createGain();
    this.output.gain.value = GAIN;
    this.output.connect(context.destination);
    const begin = context.currentTime + 0.03;
    if (countIn > 0) this.click(begin, countIn);
    if (this.loop && (this.position < this.loop.start || this.position >= this.loop.end - 1e-9)) {
      this.position = this.loop.start;
    }
    this.anchors = [{ time: begin + countIn / this.speed, position: this.position, speed: this.speed }];
    this.cursor = this.position;
    this.isPlaying = true;
    this.look();
    this.timer = window.setInterval(() => this.look(), LOOK * 1000);
  }

  stop() {
    this.position = this.now();
    this.isPlaying = false;
    clearInterval(this.timer);
    const context = findContext();
    const output = this.output;
    if (output) {
      output.gain.setTargetAtTime(0, context.currentTime, 0.015);
      setTimeout(() => output.disconnect(), 200);
    }
    for (const source of this.sources) source.stop(context.currentTime + 0.1);
    this.sources.clear();
    this.output = null;
  }

  /** @returns {number} where in the timeline it sounds */
  now() {
    if (!this.isPlaying) return this.position;
    const time = findContext().currentTime;
    const due = this.anchors.filter((anchor) => anchor.time <= time);
    if (due.length > 1) this.anchors.splice(0, due.length - 1);
    const anchor = due.at(-1);
    if (!anchor) return this.anchors[0].position;
    const length = this.timeline?.length ?? 0;
    return Math.min(length, anchor.position + (time - anchor.time) * anchor.speed);
  }

  /** @param {number} position */
  seek(position) {
    const wasPlaying = this.isPlaying;
    if (wasPlaying) this.stop();
    this.position = position;
    if (wasPlaying) this.start(0);
  }

  /** @param {number} tempo 1 is the tune's own */
  setTempo(tempo) {
    if (tempo === this.tempo) return;
    this.tempo = tempo;
    if (this.isPlaying) this.seek(this.now());
  }

  look() {
    const timeline = this.timeline;
    if (!timeline || !this.isPlaying) return;
    const time = findContext().currentTime;
    for (let turn = 0; turn < 64; turn += 1) {
      const anchor = this.anchors[this.anchors.length - 1];
      const horizon = anchor.position + (time + AHEAD - anchor.time) * anchor.speed;
      const end = this.loop && this.cursor < this.loop.end ? this.loop.end : timeline.length;
      if (!this.schedule(anchor, Math.min(horizon, end), time)) return;
      if (horizon < end) return;
      const due = anchor.time + (end - anchor.position) / anchor.speed;
      if (!this.loop || end !== this.loop.end) {
        if (time >= due) this.finish();
        return;
      }
      this.anchors.push({ time: due, position: this.loop.start, speed: this.speed });
      this.cursor = this.loop.start;
    }
  }

  finish() {
    this.stop();
    this.position = 0;
    this.onEnd();
  }

  /**
   * @param {Anchor} anchor
   * @param {number} until
   * @param {number} time
   * @returns {boolean} false where a sound is still on its way: the tune waits for it
   */
  schedule(anchor, until, time) {
    const timeline = /** @type {Timeline} */ (this.timeline);
    for (const note of timeline.notes) {
      if (note.start < this.cursor - 1e-9 || note.start >= until - 1e-9) continue;
      if (note.isChord && !this.hasChords) continue;
      const due = anchor.time + (note.start - anchor.position) / anchor.speed;
      const instrument = note.isChord ? GUITAR : this.instrument;
      const sound = find(instrument, note.pitch + this.transpose);
      if (!sound) {
        this.cursor = note.start;
        if (due < time + LOOK) {
          this.anchors.push({ time: time + 2 * LOOK, position: note.start, speed: this.speed });
        }
        return false;
      }
      this.sound(sound, Math.max(due, time), note.duration / anchor.speed, note.volume);
    }
    this.cursor = Math.max(this.cursor, until);
    return true;
  }

  /**
   * A note longer than its file is bowed or blown anew, faded over.
   *
   * @param {import("./sounds.js").Sound} sound
   * @param {number} begin
   * @param {number} seconds
   * @param {number} volume
   */
  sound(sound, begin, seconds, volume) {
    const whole = sound.buffer.duration / sound.rate;
    const skipped = 0.3;
    let at = begin;
    let left = seconds;
    let offset = 0;
    while (left > 0) {
      const usable = whole - offset - 0.1;
      const length = Math.min(left, usable);
      const isLast = left <= usable;
      this.ring(sound, at, offset, length, volume, isLast ? RELEASE : CROSSFADE);
      at += length;
      left -= length;
      offset = skipped;
    }
  }

  /**
   * @param {import("./sounds.js").Sound} sound
   * @param {number} at
   * @param {number} offset
   * @param {number} seconds
   * @param {number} volume
   * @param {number} release
   */
  ring(sound, at, offset, seconds, volume, release) {
    const context = findContext();
    const source = context.createBufferSource();
    source.buffer = sound.buffer;
    source.playbackRate.value = sound.rate;
    const gain = context.createGain();
    gain.gain.setValueAtTime(offset ? 0 : volume, at);
    if (offset) gain.gain.linearRampToValueAtTime(volume, at + CROSSFADE);
    gain.gain.setValueAtTime(volume, Math.max(at + seconds, at + (offset ? CROSSFADE : 0)));
    gain.gain.linearRampToValueAtTime(0, at + seconds + release);
    source.connect(gain).connect(/** @type {GainNode} */ (this.output));
    source.start(at, offset * sound.rate);
    source.stop(at + seconds + release + 0.01);
    this.sources.add(source);
    source.addEventListener("ended", () => this.sources.delete(source));
  }

  /**
   * @param {number} begin
   * @param {number} countIn whole notes
   */
  click(begin, countIn) {
    const context = findContext();
    const beat = this.timeline?.beat ?? 0.25;
    for (let at = 0; at < countIn - 1e-6; at += beat) {
      const time = begin + at / this.speed;
      const source = context.createOscillator();
      source.frequency.value = at === 0 ? 1320 : 880;
      const gain = context.createGain();
      gain.gain.setValueAtTime(0.6, time);
      gain.gain.exponentialRampToValueAtTime(0.001, time + 0.06);
      source.connect(gain).connect(/** @type {GainNode} */ (this.output));
      source.start(time);
      source.stop(time + 0.07);
      this.sources.add(source);
    }
  }
}
