/**
 * ABC made fit to be drawn: whatever is no music is commented out, character by character, so that
 * places in what is drawn are places in what was written.
 */

export const MOST_CHARACTERS = 10_000;
const MOST_SYMBOLS = 2500;
const MOST_ENDING = 16;

/** Fields that are shown elsewhere (titles, sources, words), or that abcjs should not follow. */
const HIDDEN_FIELD = /^[ABCDFGHINORSTWZmrs]:/;
const BEGIN = /^%%\s*begin(\w*)/i;

/**
 * @typedef {{key: string, values: Record<string, string | number>}} Problem
 *   the key of a text of the page, and what it is filled with
 */

/**
 * @param {string} abc
 * @returns {{abc: string, problem: Problem | null}} the same length as what came; a problem means
 *   that it should not be drawn
 */
export function prepare(abc) {
  if (abc.length > MOST_CHARACTERS) {
    return { abc: "", problem: { key: "score-too-long", values: { most: MOST_CHARACTERS } } };
  }
  let block = "";
  let tunes = 0;
  const lines = abc.replace(/\0/g, " ").split("\n");
  const kept = lines.map((line) => {
    if (block) {
      if (new RegExp(`^%%\\s*end${block}`, "i").test(line)) block = "";
      return hide(line);
    }
    const begin = BEGIN.exec(line);
    if (begin) block = begin[1] || "text";
    if (/^X:/.test(line)) tunes += 1;
    if (tunes > 1 || line.startsWith("%") || HIDDEN_FIELD.test(line)) return hide(line);
    return line.replace(/\[[IrNR]:[^\]]*\]/g, (field) => " ".repeat(field.length));
  });
  const problem = findProblem(kept);
  return { abc: kept.join("\n"), problem };
}

/** @param {string} line */
function hide(line) {
  return line === "" ? line : `% ${line.slice(2)}`.slice(0, line.length);
}

/**
 * Numbers and crowds that no tune has would make drawing or playing endless.
 *
 * @param {string[]} lines
 * @returns {Problem | null}
 */
function findProblem(lines) {
  let symbols = 0;
  for (const [place, line] of lines.entries()) {
    if (/^(%|X:|w:)/.test(line)) continue;
    const music = line.replace(/%.*$/, "").replace(/"[^"]*"/g, (words) => " ".repeat(words.length));
    symbols += /^[A-Za-z]:/.test(music) ? 0 : (music.match(/[A-Ga-gxyzXZ|]/g) ?? []).length;
    const found =
      /\d{4,}/.exec(music) ??
      /\/{6,}/.exec(music) ??
      /:{4,}/.exec(music) ??
      /&{16,}/.exec(music) ??
      findEnding(music);
    if (found) {
      const values = { line: place + 1, column: found.index + 1, found: found[0].slice(0, 20) };
      return { key: "score-number", values };
    }
  }
  if (symbols > MOST_SYMBOLS) return { key: "score-too-many", values: { most: MOST_SYMBOLS } };
  return null;
}

/** @param {string} music */
function findEnding(music) {
  for (const found of music.matchAll(/[[|]\s*\d[\d,\s-]*/g)) {
    if ((found[0].match(/\d+/g) ?? []).some((number) => Number(number) > MOST_ENDING)) return found;
  }
  return null;
}
