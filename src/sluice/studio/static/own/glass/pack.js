/**
 * The file of the glass box, read as sluice/studio/glass/packing.py describes it.
 *
 * A *step* is a token that the model reads: step 0 reads the beginning, step s the token s - 1. After
 * it the model holds values, and odds for token s.
 */

/** @typedef {{name: string, symbol: string, role: "gate" | "state" | "value", node: number, array: string}} Value */
/** @typedef {{name: string, before: number | null, after: number, start: number | null}} State */
/**
 * @typedef {object} Layer
 * @property {string} label
 * @property {string} cell
 * @property {number} width
 * @property {{numbers: number[], reasons: string[], correlations: number[]}} units
 * @property {Value[]} values
 * @property {string[]} left_out
 * @property {State[]} states
 * @property {Record<string, [string, ...number[]]>} nodes
 * @property {Record<string, number[]>} vectors
 * @property {string} memory
 * @property {boolean} is_carried_over
 * @property {{state: string, gate: string, is_complement: boolean, array: string, shares?: string}} [kept]
 */
/**
 * @typedef {object} Odds
 * @property {number} token its id
 * @property {number} model the model's probability
 * @property {number} sampled after grammar and temperature
 * @property {boolean} isForbidden
 * @property {boolean} isDrawn
 */

const MAGIC = "SLUICEGB";
const VERSION = 1;
/** @type {Record<string, any>} */
const TYPES = { u1: Uint8Array, u2: Uint16Array, f4: Float32Array };

export class Pack {
  /** @param {ArrayBuffer} buffer */
  constructor(buffer) {
    const view = new DataView(buffer);
    const magic = new TextDecoder().decode(new Uint8Array(buffer, 0, 8));
    if (magic !== MAGIC || view.getUint32(8, true) !== VERSION) throw new Error("no glass box");
    const length = view.getUint32(12, true);
    /** @type {any} */
    this.header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 16, length)));
    /** @type {Record<string, Uint8Array | Uint16Array | Float32Array>} */
    this.arrays = {};
    for (const [name, place] of Object.entries(this.header.arrays)) {
      const { type, shape, offset } = /** @type {any} */ (place);
      const count = shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
      this.arrays[name] = new TYPES[type](buffer, 16 + length + offset, count);
    }
    /** @type {Layer[]} */
    this.layers = this.header.layers;
    /** @type {number} */
    this.steps = this.header.steps;
    /** @type {string[]} */
    this.tokens = this.header.tokens;
  }

  /** @param {string} address */
  static async fetch(address) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(String(answer.status));
    return new Pack(await answer.arrayBuffer());
  }

  get sketch() {
    return new TextDecoder().decode(this.arrays.sketch);
  }

  /**
   * @param {Layer} layer
   * @param {string} name
   * @returns {Value | undefined}
   */
  find(layer, name) {
    return layer.values.find((value) => value.name === name);
  }

  /**
   * @param {Layer} layer
   * @param {string} array
   * @param {number} step
   * @param {number} unit its place among the units shown
   * @returns {number}
   */
  read(layer, array, step, unit) {
    const count = layer.units.numbers.length;
    const range = this.arrays[`${array}.range`];
    const [low, high] = [range[unit], range[count + unit]];
    return low + (this.arrays[array][step * count + unit] / 255) * (high - low);
  }

  /**
   * The greatest size that a unit's value has in this tune.
   *
   * @param {Layer} layer
   * @param {string} array
   * @param {number} unit
   */
  limit(layer, array, unit) {
    const range = this.arrays[`${array}.range`];
    return Math.max(Math.abs(range[unit]), Math.abs(range[layer.units.numbers.length + unit])) || 1;
  }

  /**
   * @param {Layer} layer
   * @param {number} step
   * @param {number} unit
   * @returns {number | null} which share of its memory the unit keeps
   */
  kept(layer, step, unit) {
    if (!layer.kept) return null;
    const { gate, is_complement: isComplement, shares } = layer.kept;
    if (shares) return this.read(layer, shares, step, unit);
    const value = this.find(layer, gate);
    if (!value) return null;
    const open = this.read(layer, value.array, step, unit);
    return isComplement ? 1 - open : open;
  }

  /**
   * @param {number} step
   * @returns {Odds[]} the likeliest first; what was drawn comes last if it is none of them
   */
  odds(step) {
    const { "odds.tokens": tokens, "odds.model": model, "odds.sampled": sampled } = this.arrays;
    const count = tokens.length / this.steps;
    const drawn = this.arrays.drawn[step];
    /** @type {Odds[]} */
    const found = [];
    for (let place = step * count; place < (step + 1) * count; place++) {
      const isForbidden = this.arrays["odds.forbidden"][place] === 1;
      const token = tokens[place];
      found.push({ token, model: model[place], sampled: sampled[place], isForbidden, isDrawn: token === drawn });
    }
    if (!found.some((one) => one.isDrawn)) {
      const [own, after] = [this.arrays["drawn.model"][step], this.arrays["drawn.sampled"][step]];
      found.push({ token: drawn, model: own, sampled: after, isForbidden: false, isDrawn: true });
    }
    return found;
  }

  /** @param {number} token an id */
  spell(token) {
    return this.header.vocabulary[token - this.header.first_id] ?? "";
  }

  /**
   * @param {number} step
   * @returns {number} the bar of the token that the step reads, from 0; -1 before the first
   */
  bar(step) {
    return step > 0 ? this.header.bars[step - 1] : -1;
  }

  /**
   * The steps that read a note.
   *
   * @param {number} note its place among the written notes and rests
   * @returns {{first: number, last: number} | null} from its first token to the last before the next
   */
  stepsOf(note) {
    const { notes } = this.header;
    const first = notes.indexOf(note);
    if (first < 0) return null;
    let last = first;
    while (last + 1 < notes.length && (notes[last + 1] === note || notes[last + 1] < 0)) last++;
    return { first: first + 1, last: last + 1 };
  }
}
