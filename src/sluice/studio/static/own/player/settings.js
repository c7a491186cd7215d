/** How a visitor likes tunes to be played, kept in this browser from page to page. */

const KEY = "sluice.player";

/**
 * @typedef {object} Settings
 * @property {number} tempo in per cent, 30 to 200
 * @property {number} transpose in semitones, -12 to 12
 * @property {"flute" | "fiddle"} instrument
 * @property {boolean} chords
 * @property {boolean} countIn
 * @property {string} tablature
 */

/** @type {Settings} */
const DEFAULTS = {
  tempo: 100, transpose: 0, instrument: "flute", chords: true, countIn: false, tablature: "",
};

/**
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
export function clamp(value, least, most) {
  return Math.max(least, Math.min(value, most));
}

/** @returns {Settings} */
export function readSettings() {
  /** @type {any} */
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem(KEY) ?? "{}") ?? {};
  } catch {
    // What another program wrote there, or a browser that keeps nothing.
  }
  return {
    tempo: clamp(Math.round(Number(kept.tempo)) || DEFAULTS.tempo, 30, 200),
    transpose: clamp(Math.round(Number(kept.transpose)) || 0, -12, 12),
    instrument: kept.instrument === "fiddle" ? "fiddle" : "flute",
    chords: kept.chords !== false,
    countIn: kept.countIn === true,
    tablature: ["whistle", "fiddle", "mandolin", "guitar"].includes(kept.tablature) ? kept.tablature : "",
  };
}

/** @param {Settings} settings */
export function writeSettings(settings) {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // A browser that keeps nothing.
  }
}
