/** The values on all wires of a cell: those that the file has, and what follows elementwise. */

/** @typedef {import("./pack.js").Pack} Pack */
/** @typedef {import("./pack.js").Layer} Layer */

/** @type {Record<string, (...of: number[]) => number>} */
const OPERATIONS = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  negative: (a) => -a,
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  sqrt: Math.sqrt,
  power: (a, b) => a ** b,
  sin: Math.sin,
  cos: Math.cos,
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  log_sigmoid: (a) => -Math.log1p(Math.exp(-a)),
  softplus: (a) => Math.log1p(Math.exp(a)),
  silu: (a) => a / (1 + Math.exp(-a)),
  tanh: Math.tanh,
  relu: (a) => Math.max(0, a),
  absolute: Math.abs,
  sign: Math.sign,
  maximum: Math.max,
  minimum: Math.min,
  clamp: (a, low, high) => Math.min(Math.max(a, low), high),
  hard_tanh: (a, low, high) => Math.min(Math.max(a, low), high),
  greater: (a, b) => Number(a > b),
  greater_equal: (a, b) => Number(a >= b),
  where: (a, b, c) => (a ? b : c),
  detach: (a) => a,
};

/**
 * @param {Pack} pack
 * @param {Layer} layer
 * @param {number} step
 * @param {number} unit its place among the units shown
 * @returns {Map<number, number>} by the number of the node
 */
export function readWires(pack, layer, step, unit) {
  /** @type {Map<number, number>} */
  const found = new Map();
  for (const value of layer.values) found.set(value.node, pack.read(layer, value.array, step, unit));
  for (const state of layer.states) {
    const before = readBefore(pack, layer, state.name, step, unit);
    if (state.before !== null && before !== null) found.set(state.before, before);
  }
  for (const [name, values] of Object.entries(layer.vectors)) {
    found.set(Number(name), values[values.length > 1 ? unit : 0]);
  }
  for (const [name, [operation, ...operands]] of Object.entries(layer.nodes)) {
    const node = Number(name);
    if (found.has(node)) continue;
    if (operation === "number") {
      found.set(node, operands[0]);
      continue;
    }
    const values = operands.map((operand) => found.get(operand));
    const apply = OPERATIONS[operation];
    if (apply && values.every((value) => value !== undefined)) {
      found.set(node, apply(.../** @type {number[]} */ (values)));
    }
  }
  return found;
}

/**
 * @param {Pack} pack
 * @param {Layer} layer
 * @param {string} name of a state
 * @param {number} step
 * @param {number} unit
 * @returns {number | null} its value as the step finds it; null where that is not known
 */
export function readBefore(pack, layer, name, step, unit) {
  const value = pack.find(layer, name);
  if (step > 0) return value ? pack.read(layer, value.array, step - 1, unit) : null;
  return layer.states.find((state) => state.name === name)?.start ?? null;
}
