const START = 1, END = 2;

/** Random numbers in [0, 1) from a seed: those of the Mersenne Twister in torch. */
export function createRandom(seed) {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`seed must be a whole number of at least 0, got ${seed}`);
  }
  const words = new Uint32Array(624);
  words[0] = seed;
  for (let i = 1; i < 624; i++) {
    words[i] = Math.imul(1812433253, words[i - 1] ^ (words[i - 1] >>> 30)) + i;
  }
  let place = 624;
  const draw = () => {
    if (place === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (words[i] & 0x80000000) | (words[(i + 1) % 624] & 0x7fffffff);
        words[i] = words[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      place = 0;
    }
    let y = words[place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
  return () => ((draw() & 0x1fffff) * 0x100000000 + draw()) / 2 ** 53;
}

/** An id drawn from logits; `uniform` is in [0, 1), `allows(id)` says what may be drawn. */
export function sample(logits, temperature, uniform, allows = () => true) {
  if (!(temperature > 0 && temperature < Infinity)) {
    throw new RangeError(`temperature must be above 0, got ${temperature}`);
  }
  const isAllowed = Array.from(logits, (_, id) => id >= END && allows(id));
  let largest = -Infinity, total = 0, last = -1;
  for (let id = END; id < logits.length; id++) {
    if (isAllowed[id]) largest = Math.max(largest, logits[id]);
  }
  const weights = isAllowed.map((is, id) =>
    is ? Math.exp((logits[id] - largest) / temperature) : 0,
  );
  for (const weight of weights) total += weight;
  if (!(total > 0)) throw new RangeError("no token has a probability");
  let left = uniform * total;
  for (let id = END; id < weights.length; id++) {
    if (!(weights[id] > 0)) continue;
    last = id;
    left -= weights[id];
    if (left < 0) break;
  }
  return last;
}

/** The ids that follow a prompt's, drawn one by one until the model ends or `length` is reached. */
export function* generate({ prompt = [], temperature = 1, seed = 0, length = 1000 } = {}) {
  const state = createState(), random = createRandom(seed), logits = new Float32Array(outputSize);
  let token = START;
  for (const id of prompt) {
    step(state, token, logits);
    token = id;
    random();
  }
  for (let place = prompt.length; place < length; place++) {
    token = sample(step(state, token, logits), temperature, random());
    if (token === END) return;
    yield token;
  }
}
