// Labels: the probability of each over time, the true one marked; the series that was read, with a gate as a strip of colours.
function mountLabels(root, data, state) {
  const { view } = data, axis = data.outputAxis, chances = readChances(view);
  const narrow = () => (root.clientWidth || 800) < 560;
  const left = () => Math.min(narrow() ? 96 : 150, 16 + 7.4 * (Math.max(...view.names.map((name) => name.length)) + (view.perStep ? 0 : 2)));
  const margins = { left: Math.max(PANEL_LEFT, left()), right: 52 };
  const host = el("div", {}), said = el("p", { class: "labels-said", "aria-live": "polite" });
  root.append(el("div", { class: "panel-head" }, el("b", {}, view.perStep ? "Probability of each label at every step" : "Probability of each label, had the sequence ended at that step")), said);
  root.append(host);
  host.append(labelRows(data, state, chances, margins, said));
  const marks = view.true.every((k) => k === null) ? "" : view.perStep ? "The bar below a row marks the steps where that label is the true one." : "✓ marks the true label.";
  const runs = !view.perStep && view.steps.length < data.axes[axis].length ? ` Each probability is of a run of its own, so they are computed after ${view.steps.length} of the ${data.axes[axis].length} steps.` : "";
  const left_ = view.count > view.names.length ? ` ${view.names.length} of ${view.count} labels are shown: the true ones, and those whose probability is highest anywhere.` : "";
  root.append(el("p", { class: "note" }, marks + runs + left_));
  if (!view.columns.length) return;
  const { strip, bar } = colourStrip(data, state, margins);
  root.append(bar);
  view.columns.slice(0, MOST_COLUMNS).forEach((column, k, all) => {
    addColumn(root, data, state, column, margins, k === all.length - 1);
    root.append(k ? colourStrip(data, state, margins).strip : strip);
  });
}

// Probabilities by step and label; between two runs that of the earlier one.
function readChances(view) {
  const v = unpack(view.chances), width = view.names.length, { steps } = view;
  const rowOf = (step) => { let low = 0, high = steps.length - 1; while (low < high) { const middle = (low + high + 1) >> 1; if (steps[middle] <= step) low = middle; else high = middle - 1; } return low; };
  return { at: (step, label) => v[rowOf(step) * width + label], row: (step) => Array.from(v.subarray(rowOf(step) * width, (rowOf(step) + 1) * width)) };
}

function labelRows(data, state, chances, margins, said) {
  const { view } = data, axis = data.outputAxis, high = 34, { first } = data.axes[axis];
  const trueAt = (step) => (view.perStep ? view.true[step] : view.true[0]) ?? null;
  const words = () => {
    const step = state.stepOf(axis), actual = trueAt(step), row = chances.row(step).map((share, label) => ({ share, label })).sort((a, b) => b.share - a.share);
    return `${view.perStep ? "At" : "After"} ${stepName(data, axis, step)}: ${row.slice(0, 3).map(({ share, label }) => `${view.names[label]} ${sayPercent(share)}`).join(", ")}; ` +
      (actual === null ? "the true label is unknown" : `the true label is ${view.names[actual]}${row[0].label === actual ? "" : ", not the most probable one"}`);
  };
  const names = view.names.map((name, label) => (!view.perStep && view.true[0] === label ? `✓ ${name}` : name));
  const most = Math.floor((margins.left - 12) / 7), short = (name) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);
  return timePanel(data, state, {
    axis, height: view.names.length * high + 20, ...margins, name: "Probability of each label",
    paint(svg, map) {
      map.texts = names.map((name, label) => {
        const foot = label * high + high - 8, top = label * high + 4, y = (share) => foot - share * (foot - top);
        const by = Math.max(1, Math.floor((map.to - map.from) / (2 * map.wide)));
        let path = `M${map.x(map.from)} ${foot}`;
        for (let t = map.from; t < map.to; t += by) { const at = y(chances.at(t, label)).toFixed(1); path += `L${map.x(t).toFixed(1)} ${at}L${map.x(Math.min(map.to, t + by)).toFixed(1)} ${at}`; }
        svg.append(el("line", { class: "panel-grid", x1: map.left, x2: map.right, y1: top, y2: top }),
          el("path", { class: "labels-area", d: `${path}L${map.x(map.to)} ${foot}Z` }), el("line", { class: "labels-foot", x1: map.left, x2: map.right, y1: foot, y2: foot }));
        if (view.perStep) for (const [from, to] of runsOf(view.true, label, map.from, map.to)) svg.append(el("rect", { class: "labels-true", x: map.x(from), width: map.x(to) - map.x(from), y: foot + 1, height: 4 }));
        else if (view.true[0] === label) svg.append(el("rect", { class: "labels-true", x: map.left, width: map.right - map.left, y: foot + 1, height: 4 }));
        const label_ = svg.appendChild(el("text", { x: 2, y: foot - 3 }, short(name), el("title", {}, view.names[label])));
        return { name: label_, share: svg.appendChild(el("text", { x: map.right + 6, y: foot - 3 })) };
      });
      paintSteps(svg, map, data.axes[axis]);
    },
    follow(map) {
      const step = state.stepOf(axis), row = chances.row(step), best = row.indexOf(Math.max(...row));
      markStep(map, step);
      map.texts.forEach(({ name, share }, label) => {
        share.textContent = sayPercent(row[label]);
        for (const text of [name, share]) text.setAttribute("class", label === best ? "strong" : "");
      });
      said.textContent = `${words()}.`;
    },
    words: () => `Probability of ${view.names.join(", ")}, steps ${first} to ${first + data.axes[axis].length - 1}. ${words()}`,
  });
}

// Where a label is the true one, as spans of steps.
function* runsOf(labels, label, from, to) {
  let start = null;
  for (let t = from; t <= to; t++) {
    const inside = t < to && labels[t] === label;
    if (inside && start === null) start = t;
    if (!inside && start !== null) { yield [start, t]; start = null; }
  }
}

const readsText = (data) => Boolean(data.axes[data.outputAxis].tokens);
VIEWS.labels = { title: "Labels", mount: mountLabels, text: readsText, predictions: false };
