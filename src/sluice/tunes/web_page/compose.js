/** One of the keys of a table, as often as its value says. */
function drawName(weights, uniform) {
  const names = Object.entries(weights);
  let left = uniform * names.reduce((sum, [, weight]) => sum + weight, 0);
  return names.find(([, weight]) => (left -= weight) < 0)?.[0] ?? names.at(-1)[0];
}

/**
 * Composes a tune token by token: yields how many bars are complete, and how many there will be;
 * returns the tune. Empty wishes are left to the model; a seed gives the same tune.
 */
function* composeTune(table, { seed, temperature, dance, mode, tonic }) {
  const random = createRandom(seed);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const plan = drawName(table.plans, random()), place = random();
  const { adjectives, nouns, places } = table.titles;
  const title = `The ${pick(adjectives)} ${pick(nouns)}${pick(places)}`;
  const names = Object.keys(table.dances), chosen = dance ? [dance] : names;
  const wishes = {
    dances: names.length ? chosen.map((name) => table.dances[name].id) : null,
    meters: names.length
      ? Object.fromEntries(names.map((name) => [table.dances[name].id, table.dances[name].meters]))
      : Object.keys(table.meters).map(Number),
    modes: mode ? [table.modes[mode]] : Object.values(table.modes),
  };
  const grammar = new TuneGrammar(table, wishes, plan);
  const state = createState(), logits = new Float32Array(outputSize), ids = [];
  for (let token = START; ; ) {
    const allowed = grammar.findAllowed();
    token = sample(step(state, token, logits), temperature, random(), (id) => allowed.has(id));
    if (token === END) break;
    grammar.advance(token);
    ids.push(token);
    yield { bars: grammar.bars.length, of: grammar.sources.length };
  }
  const { head } = grammar, meter = table.meters[head.meter];
  const ownDance = names.find((name) => table.dances[name].id === head.dance) ?? "";
  const ownMode = Object.keys(table.modes).find((name) => table.modes[name] === head.mode);
  const tonics = table.tonics[ownMode];
  const spelt = ids.slice(names.length ? 3 : 2).map((id) => tokens[id - SPECIAL].replace(/\{\d+\}$/, ""));
  const body = spelt[0] === "|" ? spelt.slice(1) : spelt;
  const byToken = (entries) => Object.fromEntries(entries.map(([id, value]) => [tokens[id - SPECIAL], value]));
  const tune = {
    body, title, dance: ownDance, meter: meter.name, mode: ownMode,
    tonic: tonic || tonics[Math.floor(place * Math.min(2, tonics.length))],
    tempo: table.tempos[`${ownDance} ${meter.name}`], beam: meter.beam, eighth: table.eighth,
    lengths: byToken(Object.entries(table.durations)), tuplets: byToken(Object.entries(table.tuplets[head.meter])),
  };
  return { ...tune, count: ids.length, abc: writeAbc(tune) };
}
