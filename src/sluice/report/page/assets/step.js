// The selected step: its prediction, and the values of one unit in its sketch.
function showPrediction() {
  const host = byId("prediction"), found = DATA.predictions, rows = [];
  const at = (list) => list[Math.min(state.step, list.length - 1)];
  const each = (found.best ?? found.given).length === STEPS;
  rows.push(el("h3", {}, each ? `After step ${DATA.first + state.step}` : "At the end"));
  if (found.kind === "values") {
    rows.push(el("table", {}, el("tr", {}, el("th", {}, "output"), el("th", { class: "n" }, "predicted"), el("th", { class: "n" }, "target")),
      ...at(found.given).map((v, k) => el("tr", {}, el("td", {}, k), el("td", { class: "n" }, number(v)), el("td", { class: "n" }, number(at(found.true)[k]))))));
  } else {
    const true_ = found.true && at(found.true), best = at(found.best);
    const row = (id, chance) => el("div", { class: "chance" + (id === true_ ? " true" : "") },
      el("code", { title: shown(found.names[id]) }, (id === true_ ? "✓ " : "") + shown(found.names[id])), el("i", {}, el("b", { style: `width:${100 * chance}%` })), el("span", {}, (100 * chance).toFixed(1) + "%"));
    rows.push(...best.map((id, k) => row(id, at(found.chances)[k])));
    if (found.true && !best.includes(true_)) rows.push(row(true_, at(found.trueChance)));
    if (found.true) rows.push(el("p", { class: "quiet" }, "✓ marks the actual next token."));
  }
  if (DATA.losses) rows.push(el("p", {}, "loss ", el("b", { id: "loss-here" }, number(DATA.losses[state.step])), " nats".slice(0, found.kind === "values" ? 0 : 5)));
  host.replaceChildren(...rows);
}

function showValues() {
  const names = Object.keys(state.place.values), where = `${state.place.name}, unit ${state.unit}, step ${DATA.first + state.step}`;
  byId("values").replaceChildren(el("h3", {}, where), el("table", {},
    el("tr", {}, el("th", {}, "value"), el("th", { class: "n" }, "this unit"), el("th", { class: "n" }, "mean of all")),
    ...names.map((name) => el("tr", {}, el("td", {}, ...named(name, state.place.values[name].symbol)),
      el("td", { class: "n", "data-value": name }, number(valueAt(state.place, name, state.unit, state.step))),
      el("td", { class: "n" }, number(state.place.values[name].mean[state.step]))))));
  for (const unit of document.querySelectorAll(".unit")) {
    unit.hidden = unit.dataset.cell !== state.place.cell;
    if (!unit.hidden) fillSketch(unit);
  }
}

// A number next to every label of the sketch.
function fillSketch(unit) {
  const prefix = `${unit.dataset.cell}-sketch-label-`;
  for (const old of unit.querySelectorAll("text.live")) old.remove();
  for (const label of unit.querySelectorAll(`g[id^="${prefix}"]`)) {
    const [name, before] = label.id.slice(prefix.length).split(" "), step = state.step - (before ? 1 : 0);
    if (!(name in state.place.values) || step < 0) continue;
    const value = valueAt(state.place, name, state.unit, step), box = label.getBBox();
    if (value === undefined || !box.width) continue;
    label.ownerSVGElement.append(el("text", { class: "live", x: box.x, y: box.y - 3 }, value.toFixed(2)));
  }
}

// Gates on one axis; signed values, which may be far beyond 1, on another.
function drawTrace() {
  const kinds = [[], []];
  for (const [name, packed] of Object.entries(state.place.values)) {
    const v = DATA.tokens.map((_, t) => valueAt(state.place, name, state.unit, t) ?? null);
    if (v[0] !== null) kinds[packed.low >= 0 ? 0 : 1].push({ name: bare(packed.symbol), v });
  }
  const charts = kinds.map((series, k) => {
    const host = el("div", { class: "chart" });
    if (series.length) lineChart(host, `Unit ${state.unit} over time: ${k ? "values of either sign" : "values of at least 0"}`, series);
    return host;
  });
  byId("trace").replaceChildren(...charts.filter((host) => host.firstChild));
}
