/**
 * A tune as it is played: its notes in time, and the bars that they pass through, repeats and
 * endings unfolded. Times are in whole notes at the tune's own tempo.
 */

/**
 * @typedef {object} Note
 * @property {number} start
 * @property {number} duration
 * @property {number} pitch a MIDI number, not transposed
 * @property {number} volume from 0 to 1
 * @property {boolean} isChord
 * @property {number} startChar -1 for chords
 * @property {number} endChar
 * @property {number} mark its place in the score's `marks`; -1 for chords
 *
 * @typedef {{bar: number, start: number, end: number}} Passage a bar, each time it is played
 *
 * @typedef {object} Timeline
 * @property {Note[]} notes by start
 * @property {Passage[]} passages
 * @property {number} length
 * @property {number} secondsPerWhole at 100 %
 * @property {number} beat in whole notes
 * @property {number} barLength in whole notes
 */

import { findDance, swing } from "./dances.js";

const GUITAR_PROGRAM = 25;

/**
 * @param {import("../score.js").Score} score drawn
 * @returns {Timeline} at the tempo of its `Q:`, or else of its dance
 */
export function buildTimeline(score) {
  const tune = score.tune;
  const dance = findDance(score.abc);
  const flat = tune.setUpAudio({
    chordprog: GUITAR_PROGRAM, bassprog: GUITAR_PROGRAM, chordvol: 48, bassvol: 60,
  });
  const marks = new Map(score.marks.map((mark, place) => [mark.startChar, place]));
  const notes = readNotes(flat, marks);
  const barLength = tune.getBarLength() || 1;
  const named = tune.metaText?.tempo?.bpm;
  const perMeasure = tune.millisecondsPerMeasure(flat.tempo) / 1000;
  const secondsPerWhole = !named && dance ? 240 / dance.quarters : perMeasure / barLength;
  const melody = notes.filter((note) => !note.isChord);
  const passages = findPassages(melody, score);
  if (dance) swing(melody, score, dance);
  const length = Math.max(flat.totalDuration, passages.at(-1)?.end ?? 0);
  return { notes, passages, length, secondsPerWhole, beat: tune.getBeatLength() || 0.25, barLength };
}

/**
 * @param {any} flat
 * @param {Map<number, number>} marks
 * @returns {Note[]}
 */
function readNotes(flat, marks) {
  /** @type {Note[]} */
  const notes = [];
  for (const track of flat.tracks) {
    for (const event of track) {
      if (event.cmd !== "note" || !(event.duration > 0)) continue;
      const isChord = event.startChar === undefined;
      notes.push({
        start: event.start,
        duration: event.duration,
        pitch: event.pitch,
        volume: Math.min(1, event.volume / 105),
        isChord,
        startChar: event.startChar ?? -1,
        endChar: event.endChar ?? -1,
        mark: isChord ? -1 : marks.get(event.startChar) ?? -1,
      });
    }
  }
  return notes.sort((one, other) => one.start - other.start);
}

/**
 * A bar begins where its first note would: bars and beginnings that are silent are filled in.
 *
 * @param {Note[]} melody
 * @param {import("../score.js").Score} score
 * @returns {Passage[]}
 */
function findPassages(melody, score) {
  /** @type {Passage[]} */
  const passages = [];
  /** @type {Note | null} */
  let last = null;
  for (const note of melody) {
    const mark = score.marks[note.mark];
    if (!mark) continue;
    const start = note.start - mark.offset;
    const here = passages.at(-1);
    const again = last && here && comesAgain(last, note, score);
    if (!here || here.bar !== mark.bar || again) {
      addSilent(passages, mark.bar, start, score);
      passages.push({ bar: mark.bar, start: Math.max(0, start), end: 0 });
    } else if (start < here.start) {
      here.start = Math.max(start, passages.at(-2)?.start ?? 0);
    }
    last = note;
  }
  passages.forEach((passage, place) => {
    const next = passages[place + 1];
    passage.end = next ? next.start : passage.start + score.bars[passage.bar].duration;
  });
  return passages;
}

/**
 * The same bar once more: an ornament's notes share a place too, but follow within its length.
 *
 * @param {Note} last
 * @param {Note} note
 * @param {import("../score.js").Score} score
 */
function comesAgain(last, note, score) {
  if (note.start <= last.start) return false;
  if (note.startChar < last.startChar) return true;
  const { duration, offset } = score.marks[note.mark];
  const bar = score.bars[score.marks[note.mark].bar];
  const step = Math.min(duration, bar.duration - offset);
  return note.startChar === last.startChar && note.start >= last.start + step - 1e-6;
}

/**
 * @param {Passage[]} passages
 * @param {number} bar
 * @param {number} start
 * @param {import("../score.js").Score} score
 */
function addSilent(passages, bar, start, score) {
  const from = passages.length ? passages[passages.length - 1].bar + 1 : 0;
  const silent = [];
  let at = start;
  for (let place = bar - 1; place >= from; place -= 1) {
    const sounds = score.marks.some((mark) => mark.bar === place && !mark.isRest);
    if (sounds) break;
    at -= score.bars[place].duration;
    if (at < -1e-6) break;
    silent.unshift({ bar: place, start: Math.max(0, at), end: 0 });
  }
  passages.push(...silent);
}
