/** What happens at a step, in plain words, and as a table. */

import { text } from "../texts.js";
import { readBefore } from "./cell.js";
import { describe, percent } from "./odds.js";
import { format } from "./sketch.js";
import { describeToken, showToken } from "./tokens.js";

/** @typedef {import("./pack.js").Pack} Pack */
/** @typedef {import("./pack.js").Layer} Layer */
/** @typedef {{layer: Layer, place: number, unit: number, step: number}} Moment */

/**
 * @param {Pack} pack
 * @param {Moment} moment
 * @returns {string[]} sentences: what was read, what the memory keeps, what the other gates do
 */
export function describeUnit(pack, { layer, unit, step }) {
  const sentences = [];
  const kept = pack.kept(layer, step, unit);
  if (kept === null) sentences.push(text(layer.is_carried_over ? "says-unknown" : "says-no-gate"));
  else {
    const { gate = "", is_complement: isComplement = false } = layer.kept ?? {};
    const key = !gate ? "says-kept" : isComplement ? "says-kept-complement" : "says-kept-gate";
    const open = isComplement ? 1 - kept : kept;
    sentences.push(text(key, { gate: nameValue(gate), kept: whole(kept), open: whole(open) }));
  }
  for (const value of layer.values) {
    if (value.role !== "gate" || value.name === layer.kept?.gate) continue;
    const open = pack.read(layer, value.array, step, unit);
    const key = ["input", "output", "reset"].includes(value.name) ? `says-${value.name}` : "says-gate";
    sentences.push(text(key, { gate: nameValue(value.name), open: whole(open) }));
  }
  const memory = pack.find(layer, layer.memory);
  const before = readBefore(pack, layer, layer.memory, step, unit);
  if (memory && before !== null) {
    const now = pack.read(layer, memory.array, step, unit);
    sentences.push(text("says-memory", { before: format(before), now: format(now) }));
  }
  return sentences;
}

/**
 * @param {Pack} pack
 * @param {number} step
 */
export function describeStep(pack, step) {
  const read = step > 0 ? pack.tokens[step - 1] : null;
  const values = { step, steps: pack.steps - 1, bar: pack.bar(step) + 1 };
  if (read === null) return text("says-start");
  const key = pack.bar(step) < 0 ? "says-read-head" : "says-read";
  return text(key, { ...values, token: showToken(read), words: describeToken(read) });
}

/**
 * @param {Pack} pack
 * @param {number} step
 */
export function describeGrammar(pack, step) {
  if (step < pack.header.given) return text("says-given");
  if (!pack.header.has_grammar) return text("says-no-grammar");
  const size = pack.header.vocabulary.length + 1;
  const allowed = pack.arrays["allowed.count"][step];
  const share = pack.arrays["forbidden.share"][step];
  return text("says-grammar", { forbidden: size - allowed, size, share: percent(share) });
}

/**
 * @param {Pack} pack
 * @param {Moment} moment
 */
export function describeReason(pack, { layer, unit }) {
  const { reasons, correlations } = layer.units;
  return text(`reason-${reasons[unit]}`, { value: format(Math.abs(correlations[unit])) });
}

/**
 * Fills a table with every number of a step.
 *
 * @param {HTMLElement} body
 * @param {Pack} pack
 * @param {Moment} moment
 */
export function fillValues(body, pack, { layer, unit, step }) {
  const rows = layer.values.map((value) => {
    const before = step > 0 ? pack.read(layer, value.array, step - 1, unit) : null;
    const start = value.role === "state" ? readBefore(pack, layer, value.name, step, unit) : before;
    const now = pack.read(layer, value.array, step, unit);
    return makeRow([`${nameValue(value.name)} (${showSymbol(value.symbol)})`, format(start), format(now)], value.name);
  });
  body.replaceChildren(...rows);
}

/**
 * @param {HTMLElement} body
 * @param {Pack} pack
 * @param {number} step
 */
export function fillOdds(body, pack, step) {
  const rows = pack.odds(step).map((one) => {
    const note = describe(one, step < pack.header.given, pack.header.is_drawn);
    const name = pack.spell(one.token);
    const sampled = one.isForbidden ? "–" : percent(one.sampled);
    const words = `${showToken(name)} (${describeToken(name)})`;
    return makeRow([words, percent(one.model), sampled, note], name);
  });
  body.replaceChildren(...rows);
}

/**
 * @param {string[]} cells
 * @param {string} name
 */
function makeRow(cells, name) {
  const row = document.createElement("tr");
  row.dataset.name = name;
  for (const [place, words] of cells.entries()) {
    const cell = document.createElement(place ? "td" : "th");
    if (!place) cell.scope = "row";
    cell.textContent = words;
    row.append(cell);
  }
  return row;
}

/** @param {string} name of a value, in the page's words where it has them */
export function nameValue(name) {
  const key = `value-${name}`;
  const words = text(key);
  return words === key ? name : words;
}

/** @param {string} symbol in plain text, as c_t */
export function showSymbol(symbol) {
  return symbol.replace("_t", "ₜ");
}

/** @param {number} share */
function whole(share) {
  return text("percent", { value: String(Math.round(100 * share)) });
}
