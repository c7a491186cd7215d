// Two models on the same data: their losses, and means of their gates, and the differences of these.
function mountDifference(root, models, shared) {
  const [a, b] = models, names = models.map(({ data }) => data.about.name), value = part(root, "difference-value");
  const minus = `${names[1]} − ${names[0]}`;
  const subtract = (one, other) => one.map((v, t) => (v === null || other[t] === null ? null : other[t] - v));
  root.hidden = false;

  const sameSteps = () => a.state.axis === b.state.axis;
  function drawLosses() {
    const host = part(root, "difference-loss");
    if (!a.data.losses || !b.data.losses) { host.replaceChildren(el("p", { class: "quiet" }, "There is no loss of every step to compare.")); return; }
    const charts = [el("div", { class: "chart" }), el("div", { class: "chart" })], axis = a.data.outputAxis;
    lineChart(charts[0], a.data, a.state, { title: `Loss per step${a.data.lossUnit ? `, ${a.data.lossUnit}` : ""}`, series: models.map(({ data }, k) => ({ name: names[k], v: data.losses })), axis });
    lineChart(charts[1], a.data, a.state, { title: "Difference of losses", series: [{ name: minus, v: subtract(a.data.losses, b.data.losses) }], axis, note: "Below 0 the second model is better." });
    host.replaceChildren(...charts);
  }

  function listValues() {
    const common = Object.keys(a.state.place.values).filter((name) => name in b.state.place.values), chosen = value.value;
    value.replaceChildren(...common.map((name) => el("option", { value: name }, name)));
    value.value = common.includes(chosen) ? chosen : common.includes(a.state.place.keeps) ? a.state.place.keeps : common[0];
  }

  // The units of the first layer that both pages hold, B − A; only where the layers are of one width.
  function unitDifferences(name) {
    const [one, other] = [a.state.place, b.state.place], [x, y] = [values(one, name), values(other, name)], length = a.data.axes[one.axis].length;
    const units = one.width === other.width && one.cell === other.cell ? one.units.filter((unit) => other.units.includes(unit)) : [];
    const columns = units.map((unit) => [one.units.indexOf(unit), other.units.indexOf(unit)]).filter(([i, j]) => i < x.width && j < y.width);
    const v = new Float32Array(length * columns.length);
    for (let t = 0; t < length; t++) columns.forEach(([i, j], k) => { v[t * columns.length + k] = y.v[t * y.width + j] - x.v[t * x.width + i]; });
    return { numbers: { v, width: columns.length }, place: { ...one, units: units.slice(0, columns.length) } };
  }

  let planes = [];
  function drawGates() {
    const host = part(root, "difference-gates"), heat = part(root, "difference-heat"), name = value.value;
    planes = [];
    heat.replaceChildren();
    if (!name || !sameSteps()) { host.replaceChildren(el("p", { class: "quiet" }, name ? "The selected layers have steps of their own; select layers with the same ones." : "The selected layers have no value of the same name.")); return; }
    const means = models.map(({ state }) => state.place.values[name].mean), charts = [el("div", { class: "chart" }), el("div", { class: "chart" })];
    lineChart(charts[0], a.data, a.state, { title: `${name}, mean of all units`, series: means.map((v, k) => ({ name: names[k], v })) });
    lineChart(charts[1], a.data, a.state, { title: `Difference of ${name}, mean of all units`, series: [{ name: minus, v: subtract(...means) }] });
    host.replaceChildren(...charts);
    const { numbers, place } = unitDifferences(name);
    if (numbers.width) {
      planes = [heatPlane(a.data, a.state, { place, name, order: place.units.map((_, k) => k), numbers, title: [`${name} of each unit: ${minus}`] })];
      heat.replaceChildren(planes[0].figure);
    }
  }

  function say() {
    if (!a.data.losses || !b.data.losses) return;
    const step = shared.stepOf(a.data.outputAxis), [x, y] = models.map(({ data }) => data.losses[step]);
    part(root, "difference-here").textContent = `${stepName(a.data, a.data.outputAxis, step)}: loss ${number(x)} and ${number(y)}, difference ${number(x === null || y === null ? null : y - x)}; mean loss ${number(a.data.loss)} and ${number(b.data.loss)}`;
  }

  value.addEventListener("change", drawGates);
  for (const { state } of models) state.on(["place"], () => { listValues(); drawGates(); });
  shared.on(["theme"], drawGates);
  shared.on(["step"], () => { say(); planes.forEach((one) => one.move()); });
  shared.on(["window"], () => planes.forEach((one) => one.draw()));
  a.state.on(["unit", "span"], () => planes.forEach((one) => one.move()));
  followCharts(root, a.state);
  drawLosses();
  say();
}

// On narrow screens one model at a time is shown; the buttons choose which.
function mountSwitch(root, models) {
  const buttons = models.map(({ data, root: model }, k) => el("button", { type: "button", "aria-pressed": String(!k), onclick: () => {
    models.forEach((one, j) => { one.root.classList.toggle("shown", j === k); buttons[j].setAttribute("aria-pressed", String(j === k)); });
  } }, data.about.name));
  root.append(el("div", { class: "switch", role: "group", "aria-label": "Model shown" }, ...buttons));
  models[0].root.classList.add("shown");
}
