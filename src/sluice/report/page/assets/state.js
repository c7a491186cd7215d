// The current selection, and the functions that redraw when it changes.
const state = { step: 0, place: DATA.places[DATA.places.length - 1], unit: 0, colour: "", of: "mean", order: "mean" };
const listeners = [];
const on = (keys, act) => listeners.push([keys, act]);

function choose(change) {
  if ("step" in change) change.step = Math.max(0, Math.min(STEPS - 1, change.step));
  if ("place" in change && !("unit" in change)) change.unit = mostVariableUnit(change.place);
  const changed = Object.keys(change).filter((key) => state[key] !== change[key]);
  Object.assign(state, change);
  for (const [keys, act] of listeners) if (changed.some((key) => keys.includes(key))) act();
}

const everything = () => listeners.forEach(([, act]) => act());

// The unit whose state has the highest variance.
function mostVariableUnit(place) {
  const { v, width } = values(place, place.state);
  let best = 0, most = -1;
  for (let u = 0; u < width; u++) {
    let sum = 0, squares = 0;
    for (let t = 0; t < STEPS; t++) { const x = v[t * width + u]; sum += x; squares += x * x; }
    const spread = squares - (sum * sum) / STEPS;
    if (spread > most) { most = spread; best = u; }
  }
  return place.units[best];
}
