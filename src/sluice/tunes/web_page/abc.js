/** A tune's tokens, on a root of C, as ABC in its own key. */

const LETTERS = "CDEFGAB", SEMITONES = [0, 2, 4, 5, 7, 9, 11], FIFTHS = "FCGDAEB";
const ALTERS = { __: -2, _: -1, "=": 0, "^": 1, "^^": 2, "": 0 };
const SIGNS = { "-2": "__", "-1": "_", 0: "=", 1: "^", 2: "^^" };
const MODE_SHARPS = { maj: 0, mix: -1, dor: -2, min: -3, phr: -4, loc: -5, lyd: 1 };
const BARS_PER_LINE = 4;

const findMidi = ({ step, alter }) =>
  60 + 12 * Math.floor(step / 7) + SEMITONES[((step % 7) + 7) % 7] + alter;

/** The pitch that a token spells, undefined where it is none. */
function parsePitch(token) {
  const match = /^(\^{1,2}|_{1,2}|=)?([A-Ga-g])([,']*)$/.exec(token);
  if (!match) return undefined;
  const [, sign = "", letter, marks] = match;
  const octave = (letter > "Z" ? 1 : 0) + marks.split("'").length - marks.split(",").length;
  return { step: LETTERS.indexOf(letter.toUpperCase()) + 7 * octave, alter: ALTERS[sign] };
}

/** From a root of C to that of a tonic (`F#`, `Bb`): letters and semitones. */
function findInterval(tonic) {
  const down = "AB".includes(tonic[0]) ? 1 : 0, step = LETTERS.indexOf(tonic[0]);
  const alter = { "#": 1, b: -1 }[tonic[1]] ?? 0;
  return { letters: step - 7 * down, semitones: SEMITONES[step] + alter - 12 * down };
}

function transpose(pitch, { letters, semitones }) {
  const wanted = findMidi(pitch) + semitones;
  const natural = { step: pitch.step + letters, alter: 0 };
  while (wanted - findMidi(natural) > 2) natural.step++;
  while (wanted - findMidi(natural) < -2) natural.step--;
  return { step: natural.step, alter: wanted - findMidi(natural) };
}

/** The alteration of each letter in a key. */
function findSignature(tonic, mode) {
  const sharps = FIFTHS.indexOf(tonic[0]) - 1 + ({ "#": 7, b: -7 }[tonic[1]] ?? 0) + MODE_SHARPS[mode];
  const found = {}, order = sharps < 0 ? [...FIFTHS].reverse() : FIFTHS;
  for (let n = 0; n < Math.abs(sharps); n++) {
    found[order[n % 7]] = (found[order[n % 7]] ?? 0) + Math.sign(sharps);
  }
  return found;
}

/**
 * The octave in which the fewest notes lie outside a whistle's range (D4 to B5), and of such the
 * one with the fewest outside a fiddle's in first position (G3 to E6), moved least.
 */
function chooseInterval(pitches, tonic) {
  const own = findInterval(tonic), midis = pitches.map(findMidi);
  const count = (octave, low, high) =>
    midis.filter((midi) => midi + own.semitones + 12 * octave < low || midi + own.semitones + 12 * octave > high).length;
  const ways = [0, -1, 1, -2, 2].map((octave) => ({
    octave, cost: 1e4 * count(octave, 62, 83) + count(octave, 55, 88),
  }));
  const { octave } = ways.reduce((best, way) => (way.cost < best.cost ? way : best));
  return { letters: own.letters + 7 * octave, semitones: own.semitones + 12 * octave };
}

/**
 * `body` are the tokens behind meter and mode, without counts and without a plain line in front;
 * `beam` and `eighth` are in ticks, `lengths` the ticks of durations by token, `tuplets` events,
 * time and notes by token.
 */
function writeAbc({ body, title, dance, meter, mode, tonic, tempo, beam, eighth, lengths, tuplets }) {
  const interval = chooseInterval(body.map(parsePitch).filter(Boolean), tonic);
  const signature = findSignature(tonic, mode);
  const head = ["X:1", `T:${title}`, ...(dance ? [`R:${dance}`] : []), `M:${meter}`, "L:1/8", `Q:${tempo}`];
  const lines = [""];
  let heard = { letter: {}, step: {} }, elapsed = 0, tuplet = null, inChord = false, bars = 0, before = "";

  const spell = (pitch) => {
    const { step, alter } = transpose(pitch, interval), letter = LETTERS[((step % 7) + 7) % 7];
    const inKey = signature[letter] ?? 0, octave = Math.floor(step / 7);
    const isClear = [heard.letter[letter] ?? inKey, heard.step[step] ?? inKey].every((one) => one === alter);
    heard.letter[letter] = heard.step[step] = alter;
    const name = octave > 0 ? letter.toLowerCase() + "'".repeat(octave - 1) : letter + ",".repeat(-octave);
    return (isClear ? "" : SIGNS[alter]) + name;
  };
  const isDuration = (token) => token in lengths;
  const isLine = (token) => /^[|:]/.test(token);

  body.forEach((token, place) => {
    let written = token;
    const pitch = parsePitch(token);
    if (isLine(token)) {
      heard = { letter: {}, step: {} };
      elapsed = 0;
    } else if (token in tuplets) {
      written = (elapsed && elapsed % beam === 0 ? " " : "") + token;
      tuplet = tuplets[token];
    } else if ((pitch || token === "z" || token === "[") && !inChord) {
      const space = elapsed && elapsed % beam === 0 && !(before in tuplets) ? " " : "";
      inChord = token === "[";
      const end = inChord ? body.indexOf("]", place) + 1 : place + 1;
      [elapsed, tuplet] = addEvent(elapsed, tuplet, lengths[body[end]] ?? eighth);
      written = space + (pitch ? spell(pitch) : token);
    } else if (pitch) written = spell(pitch);
    else if (token === "]") inChord = false;
    lines[lines.length - 1] += written;
    if (isLine(token) && place && place < body.length - 1 && ++bars === BARS_PER_LINE) {
      lines.push("");
      bars = 0;
    }
    before = token;
  });
  return [...head, `K:${tonic}${mode}`, ...lines, ""].join("\n");
}
