// A piano roll: keys that sound, and behind them the probability that the model gave to each.
function mountRoll(root, data, state) {
  const { view } = data, axis = data.outputAxis, { length } = data.axes[axis], width = view.pitches.length;
  const chances = unpack(view.chances), chanceOf = (step, pitch) => chances[step * width + view.pitches.indexOf(pitch)];
  const expected = Array.from({ length }, (_, t) => view.pitches.filter((_, k) => chances[t * width + k] > 0.5));
  const stepAt = (seconds) => within(Math.floor(seconds / view.seconds + 1e-6), 0, length - 1);
  const bar = playerBar(data, state, { "the piece": joinSteps(view.sounding, view.seconds), "what the model expects (over 50 %)": joinSteps(expected, view.seconds) }, stepAt, (step) => step * view.seconds);
  const table = el("div", { class: "roll-table" }), high = within(Math.round(380 / width), 7, 13);
  const facts = (step) => {
    const row = view.pitches.map((pitch, k) => ({ pitch, share: chances[step * width + k] })).sort((a, b) => b.share - a.share);
    return { sounding: view.sounding[step], row };
  };
  const words = () => {
    const step = state.stepOf(axis), { sounding, row } = facts(step);
    return `${stepName(data, axis, step)}: ${sounding.length ? `${sounding.map(pitchName).join(", ")} sound` : "silence"}; most probable were ${row.slice(0, Math.max(4, sounding.length)).map(({ pitch, share }) => `${pitchName(pitch)} ${sayPercent(share)}`).join(", ")}`;
  };
  const panel = timePanel(data, state, {
    axis, height: width * high + 20, left: 40, name: "Piano roll",
    paint(svg, map) {
      const y = (pitch) => (width - 1 - view.pitches.indexOf(pitch)) * high, accent = hex(getComputedStyle(svg).getPropertyValue("--accent").trim()), x = map.x(map.from);
      view.pitches.forEach((pitch) => {
        if (isBlack(pitch)) svg.append(el("rect", { class: "roll-black", x: map.left, width: map.right - map.left, y: y(pitch), height: high }));
        if (pitch % 12 === 0 || (high > 10 && [4, 7].includes(pitch % 12))) svg.append(el("line", { class: "panel-grid", x1: map.left, x2: map.right, y1: y(pitch) + high, y2: y(pitch) + high }), el("text", { x: map.left - 6, y: y(pitch) + high - 1, "text-anchor": "end" }, pitchName(pitch)));
      });
      paintCells(svg, map.to - map.from, width, (t, row) => [...accent, 255 * chances[(map.from + t) * width + width - 1 - row]], { x, y: 0, width: map.x(map.to) - x, height: width * high });
      for (const { first, last, pitch } of runsOfKeys(view.sounding)) if (last >= map.from && first < map.to) {
        const from = map.x(Math.max(first, map.from)), to = map.x(Math.min(last + 1, map.to));
        svg.append(el("rect", { class: "roll-note", x: (from + 0.8).toFixed(1), width: Math.max(1, to - from - 1.6).toFixed(1), y: y(pitch) + 0.8, height: high - 1.6, rx: 2 }));
      }
      map.now = svg.appendChild(el("rect", { class: "roll-now", y: 0, height: map.height - 20 }));
      paintSteps(svg, map, { first: data.axes[axis].first, length });
    },
    follow(map) {
      const step = state.stepOf(axis);
      map.now.style.visibility = step >= map.from && step < map.to ? "" : "hidden";
      map.now.setAttribute("x", map.x(step));
      map.now.setAttribute("width", Math.max(2, map.x(step + 1) - map.x(step)));
    },
    words: () => `Piano roll with the probability of each key. ${words()}`,
  });
  state.on(["step"], () => {
    const step = state.stepOf(axis), { sounding, row } = facts(step), listed = row.filter(({ pitch }, k) => k < 6 || sounding.includes(pitch));
    table.replaceChildren(el("h3", {}, `At ${stepName(data, axis, step)}`), el("p", { class: "quiet" }, sounding.length ? `sounding: ${sounding.map(pitchName).join(" ")}` : "silence"),
      ...listed.map(({ pitch, share }) => chanceRow(pitchName(pitch), share, sounding.includes(pitch))), el("p", { class: "quiet" }, "✓ marks the keys that sound; the bars are the probabilities that the model gave them one step before."));
  });
  const key = (className, label) => el("span", { class: "series-key" }, el("svg", { viewBox: "0 0 26 10", "aria-hidden": "true" }, el("rect", { class: className, x: 1, y: 1, width: 24, height: 8, rx: 2 })), label);
  root.append(bar, el("div", { class: "view-beside" }, el("div", {}, el("div", { class: "legend" }, key("roll-note", "sounds"), key("roll-chance", "probability 1; paler is less")), panel), table),
    el("p", { class: "note" }, `At every step the model has heard the steps before it. An outline that is filled is a note that the model expected, an empty one took it by surprise; a shade without outline is what it expected in vain. ${view.hasTempo ? "" : `The data have no tempo: a step is played for ${view.seconds} s.`}`));
}

const chanceRow = (name, share, actual) => el("div", { class: `chance${actual ? " true" : ""}`, "data-pitch": name },
  el("code", {}, `${actual ? "✓ " : ""}${name}`), el("i", {}, el("b", { style: `width:${100 * share}%` })), el("span", {}, sayPercent(share)));

// Keys held over several steps as one.
function* runsOfKeys(steps) {
  const held = new Map();
  for (let t = 0; t <= steps.length; t++) {
    const now = new Set(steps[t] ?? []);
    for (const [pitch, first] of held) if (!now.has(pitch)) { held.delete(pitch); yield { first, last: t - 1, pitch }; }
    for (const pitch of now) if (!held.has(pitch)) held.set(pitch, t);
  }
}
const joinSteps = (steps, seconds) => Array.from(runsOfKeys(steps), ({ first, last, pitch }) => ({ start: first * seconds, length: (last + 1 - first) * seconds, pitch }));

VIEWS.roll = { title: "Piano roll", mount: mountRoll, text: false, predictions: false };
