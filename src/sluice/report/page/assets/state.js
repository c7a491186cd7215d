// The current selection. What two models on one page have in common is shared: steps, windows, span, theme.
const LEAST_WINDOW = 12;
const within = (v, low, high) => Math.max(low, Math.min(high, v));

// steps and windows hold one entry for each time axis; axis is the one that the scrubber moves.
function createShared(axes) {
  const listeners = [];
  const shared = {
    axes, lengths: axes.map(({ length }) => length), axis: axes.length - 1, theme: "light", span: null, threshold: null,
    steps: axes.map(() => 0), windows: axes.map(({ length }) => ({ from: 0, to: length })),
    stepOf: (axis) => shared.steps[axis],
    window: (axis = shared.axis) => shared.windows[axis],
    listen: (owner, keys, act) => listeners.push({ owner, keys, act }),
    notify(owner, own, common) {
      for (const one of listeners)
        if (one.keys.some((key) => common.has(key) || (own.has(key) && one.owner === owner))) one.act();
    },
    start: () => listeners.forEach((one) => one.act()),
    // Apply changes of {step, axis, window, span, threshold, theme}; which of them did change.
    apply(change) {
      const changed = new Set(), axis = change.axis ?? shared.axis;
      const put = (key, value) => { if (shared[key] !== value) { shared[key] = value; changed.add(key); } };
      put("axis", axis);
      if ("window" in change) setWindow(axis, change.window.from, change.window.to, changed);
      if ("step" in change) {
        const step = within(change.step, 0, axes[axis].length - 1), { from, to } = shared.windows[axis];
        if (step !== shared.steps[axis]) { shared.steps[axis] = step; changed.add("step"); }
        if (step < from) setWindow(axis, step, step + to - from, changed);
        if (step >= to) setWindow(axis, step + 1 - (to - from), step + 1, changed);
      }
      for (const key of ["theme", "span", "threshold"]) if (key in change) put(key, change[key]);
      return changed;
    },
    choose: (change) => shared.notify(null, new Set(), shared.apply(change)),
    on: (keys, act) => shared.listen(null, keys, act),
  };
  function setWindow(axis, from, to, changed) {
    const { length } = axes[axis], size = within(Math.round(to - from), Math.min(LEAST_WINDOW, length), length);
    const start = within(Math.round(from), 0, length - size), before = shared.windows[axis];
    if (start === before.from && start + size === before.to) return;
    shared.windows[axis] = { from: start, to: start + size };
    changed.add("window");
  }
  return shared;
}

// The state of one model: its layer and unit, and how they are shown; the rest is the shared state's.
function createState(shared, data) {
  const own = { place: data.places.at(-1), unit: 0, colour: "", of: "mean", order: "mean" };
  const state = {
    get axis() { return own.place.axis; },
    get step() { return shared.steps[own.place.axis]; },
    get theme() { return shared.theme; },
    get span() { return shared.span; },
    get threshold() { return shared.threshold; },
    lengths: shared.lengths,
    stepOf: shared.stepOf,
    window: (axis = own.place.axis) => shared.windows[axis],
    on: (keys, act) => shared.listen(state, keys, act),
    choose(change) {
      const mine = { ...change }, changed = new Set();
      if ("place" in mine && !("unit" in mine)) mine.unit = mostVariableUnit(mine.place);
      const before = own.place.axis;
      for (const key of Object.keys(own))
        if (key in mine && own[key] !== mine[key]) { own[key] = mine[key]; changed.add(key); }
      if (own.place.axis !== before) ["step", "window"].forEach((key) => changed.add(key));
      const common = { axis: own.place.axis };
      for (const key of ["axis", "step", "window", "span", "threshold", "theme"]) if (key in change) common[key] = change[key];
      shared.notify(state, changed, shared.apply(common));
    },
  };
  for (const key of Object.keys(own)) Object.defineProperty(state, key, { get: () => own[key] });
  return state;
}

// The unit whose state has the highest variance.
function mostVariableUnit(place) {
  const { v, width } = values(place, place.state), length = v.length / width;
  let best = 0, most = -1;
  for (let u = 0; u < width; u++) {
    let sum = 0, squares = 0;
    for (let t = 0; t < length; t++) { const x = v[t * width + u]; sum += x; squares += x * x; }
    const spread = squares - (sum * sum) / length;
    if (spread > most) { most = spread; best = u; }
  }
  return place.units[best];
}
