/** The notes of `static/sound`, each fetched when a tune first needs it. */

const NAMES = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"];
const FOLDER = new URL("../../sound/", import.meta.url);

/** Lowest and highest MIDI number of each folder. */
const RANGES = /** @type {const} */ ({
  flute: [43, 100],
  fiddle: [43, 100],
  acoustic_guitar_steel: [28, 79],
});

/** @typedef {keyof typeof RANGES} Instrument */
/** @typedef {{buffer: AudioBuffer, rate: number}} Sound a file, and how much faster it is played */

export const GUITAR = /** @type {Instrument} */ ("acoustic_guitar_steel");

/** @type {AudioContext | undefined} */
let context;
/** @type {Map<string, Promise<AudioBuffer>>} */
const loading = new Map();
/** @type {Map<string, AudioBuffer>} */
const loaded = new Map();

/** @returns {AudioContext} the one of the page; it sounds once a visitor has pressed something */
export function findContext() {
  context ??= new AudioContext({ latencyHint: "interactive" });
  return context;
}

/**
 * @param {Instrument} instrument
 * @param {number} pitch a MIDI number; beyond the instrument's range the nearest file is bent
 */
function place(instrument, pitch) {
  const [lowest, highest] = RANGES[instrument];
  const nearest = Math.max(lowest, Math.min(pitch, highest));
  const name = `${NAMES[nearest % 12]}${Math.floor(nearest / 12) - 1}`;
  return { path: `${instrument}-mp3/${name}.mp3`, rate: 2 ** ((pitch - nearest) / 12) };
}

/**
 * @param {Instrument} instrument
 * @param {number} pitch
 * @returns {Promise<void>}
 */
export async function load(instrument, pitch) {
  const { path } = place(instrument, pitch);
  if (!loading.has(path)) loading.set(path, fetchSound(path));
  try {
    loaded.set(path, await /** @type {Promise<AudioBuffer>} */ (loading.get(path)));
  } catch (error) {
    loading.delete(path);
    throw error;
  }
}

/** @param {string} path */
async function fetchSound(path) {
  const answer = await fetch(new URL(path, FOLDER));
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return findContext().decodeAudioData(await answer.arrayBuffer());
}

/**
 * @param {Instrument} instrument
 * @param {number} pitch
 * @returns {Sound | null} null while it is being fetched
 */
export function find(instrument, pitch) {
  const { path, rate } = place(instrument, pitch);
  const buffer = loaded.get(path);
  return buffer ? { buffer, rate } : null;
}
