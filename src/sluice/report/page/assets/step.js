// The selected step: its prediction, and the values of one unit in its sketch and over time.
function mountPrediction(root, data, state) {
  const host = part(root, "prediction"), found = data.predictions, axis = data.outputAxis;
  if (!found) { host.hidden = true; return; }
  const each = (found.best ?? found.given).length === data.axes[axis].length;
  const at = (list) => list[Math.min(state.stepOf(axis), list.length - 1)];
  const table = (rows) => el("table", {}, el("tr", {}, el("th", {}, "output"), el("th", { class: "n" }, "predicted"), el("th", { class: "n" }, "target")), ...rows);
  const row = (id, chance, actual) => el("div", { class: "chance" + (id === actual ? " true" : "") },
    el("code", { title: shown(found.names[id]) }, (id === actual ? "✓ " : "") + shown(found.names[id])), el("i", {}, el("b", { style: `width:${100 * chance}%` })), el("span", {}, (100 * chance).toFixed(1) + "%"));
  state.on(["step"], () => {
    const rows = [el("h3", {}, each ? `After ${stepName({ axes: data.axes }, axis, state.stepOf(axis))}` : "At the end")];
    if (found.kind === "values") {
      rows.push(table(at(found.given).map((v, k) => el("tr", {}, el("td", {}, found.names?.[k] ?? k), el("td", { class: "n" }, number(v)), el("td", { class: "n" }, number(found.true && at(found.true)[k]))))));
    } else {
      const actual = found.true && at(found.true), best = at(found.best);
      rows.push(...best.map((id, k) => row(id, at(found.chances)[k], actual)));
      if (found.true && !best.includes(actual)) rows.push(row(actual, at(found.trueChance), actual));
      if (found.true) rows.push(el("p", { class: "quiet" }, each ? "✓ marks the actual next token." : "✓ marks the actual label."));
    }
    if (data.losses) rows.push(el("p", {}, "loss ", el("b", { "data-part": "loss-here" }, number(data.losses[state.stepOf(axis)])), data.lossUnit ? ` ${data.lossUnit.replace(/ per .*/, "")}` : ""));
    host.replaceChildren(...rows);
  });
}

function mountUnit(root, data, state) {
  const host = part(root, "values"), figures = [...root.querySelectorAll(".unit")];
  state.on(["step", "place", "unit"], () => {
    const { place, unit, step } = state, names = Object.keys(place.values);
    host.replaceChildren(el("h3", {}, `${place.name}, unit ${unit}, step ${data.axes[place.axis].first + step}`), el("table", {},
      el("tr", {}, el("th", {}, "value"), el("th", { class: "n" }, "this unit"), el("th", { class: "n" }, "mean of all")),
      ...names.map((name) => el("tr", {}, el("td", {}, ...named(name, place.values[name].symbol)),
        el("td", { class: "n", "data-value": name }, number(valueAt(place, name, unit, step))),
        el("td", { class: "n" }, number(place.values[name].mean[step]))))));
    for (const figure of figures) {
      figure.hidden = figure.dataset.cell !== place.figure;
      if (!figure.hidden) fillSketch(figure, state);
    }
  });

  // Gates on one axis; signed values, which may be far beyond 1, on another.
  state.on(["place", "unit"], () => {
    const kinds = [[], []];
    for (const [name, packed] of Object.entries(state.place.values)) {
      const v = unitOverTime(state.place, name, state.unit);
      if (v) kinds[packed.low >= 0 ? 0 : 1].push({ name: bare(packed.symbol), v });
    }
    const charts = kinds.map((series, k) => {
      const chart = el("div", { class: "chart" });
      if (series.length) lineChart(chart, data, state, { title: `Unit ${state.unit} over time: ${k ? "values of either sign" : "values of at least 0"}`, series });
      return chart;
    });
    part(root, "trace").replaceChildren(...charts.filter((chart) => chart.firstChild));
  });
}

// A number next to every label of the sketch.
function fillSketch(figure, state) {
  const mark = "-sketch-label-";
  for (const old of figure.querySelectorAll("text.live")) old.remove();
  for (const label of figure.querySelectorAll(`g[id*="${mark}"]`)) {
    const [name, before] = label.id.slice(label.id.indexOf(mark) + mark.length).split(" "), step = state.step + (before ? (state.place.reverse ? 1 : -1) : 0);
    if (!(name in state.place.values) || step < 0 || step >= state.place.values[name].mean.length) continue;
    const value = valueAt(state.place, name, state.unit, step), box = label.getBBox();
    if (value === undefined || !box.width) continue;
    // Beside the label; above it where there is no room.
    const svg = label.ownerSVGElement, text = value.toFixed(2), { x, width } = svg.viewBox.baseVal, right = box.x + box.width + 4, fits = right + 6 * text.length < x + width;
    svg.append(el("text", fits ? { class: "live", x: right, y: box.y + box.height - 3 } : { class: "live", x: Math.min(box.x + box.width, x + width - 1), y: box.y - 3, "text-anchor": "end" }, text));
  }
}
