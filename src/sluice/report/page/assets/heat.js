// Heat maps: units from top to bottom, time from left to right, a cursor at the step and the unit.
let planes = [];

function unitOrder(place) {
  const units = place.units.map((_, k) => k);
  if (state.order === "number") return units;
  const sortBy = place.keeps && state.order === "mean" ? place.keeps : place.state;
  const { v, width } = values(place, sortBy);
  const key = (u) => {
    let sum = 0, best = 0, at = 0;
    for (let t = 0; t < STEPS; t++) {
      const x = v[t * width + u];
      sum += x;
      if (Math.abs(x) > best) { best = Math.abs(x); at = t; }
    }
    return state.order === "mean" ? -sum : at;
  };
  const keys = units.map((u) => (u < width ? key(u) : Infinity));
  return units.sort((a, b) => keys[a] - keys[b] || a - b);
}

function drawHeat() {
  const place = state.place, order = unitOrder(place), host = byId("heat");
  planes = Object.keys(place.values).map((name) => plane(place, name, order));
  host.replaceChildren(...planes.map((one) => one.figure));
  byId("kept").textContent = place.units.length < place.width
    ? `${place.units.length} of ${place.width} units: the most variable and the selective ones` : `all ${place.width} units`;
  moveHeat();
}

function plane(place, name, order) {
  const found = values(place, name), rows = order.filter((u) => u < found.width), map = colours(...extent(found.v));
  const canvas = el("canvas", { width: STEPS, height: rows.length }), pen = canvas.getContext("2d");
  const image = pen.createImageData(STEPS, rows.length);
  rows.forEach((u, row) => {
    for (let t = 0; t < STEPS; t++) {
      const rgb = map.of(found.v[t * found.width + u]);
      image.data.set([...rgb, 255], 4 * (row * STEPS + t));
    }
  });
  pen.putImageData(image, 0, 0);
  const readout = el("output"), t = el("div", { class: "t" }), u = el("div", { class: "u" }), scale = el("span", { class: "scale" });
  drawScale(scale, map);
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const step = Math.max(0, Math.min(STEPS - 1, Math.floor(((event.clientX - box.left) / box.width) * STEPS)));
    const row = Math.max(0, Math.min(rows.length - 1, Math.floor(((event.clientY - box.top) / box.height) * rows.length)));
    return { step, unit: place.units[rows[row]] };
  };
  const showValue = (step, unit) => {
    readout.textContent = `step ${DATA.first + step} ${shown(DATA.tokens[step])} · unit ${unit}: ${number(valueAt(place, name, unit, step))}`;
  };
  const area = el("div", {
    class: "plane", tabindex: 0, role: "application", "aria-label": `${name}: arrow keys select a step and a unit`,
    onmousemove: (event) => { const p = at(event); showValue(p.step, p.unit); },
    onmouseleave: () => showValue(state.step, state.unit),
    onclick: (event) => choose(at(event)),
    onkeydown: (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const row = rows.findIndex((k) => place.units[k] === state.unit);
      choose({ unit: place.units[rows[Math.max(0, Math.min(rows.length - 1, row + by))]] });
    },
  }, canvas, t, u);
  const figure = el("figure", { "data-value": name }, el("figcaption", {}, el("b", {}, ...named(name, place.values[name].symbol)), readout), area, scale);
  return { figure, showValue, t, u, rows, place };
}

function moveHeat() {
  for (const one of planes) {
    const row = one.rows.findIndex((k) => one.place.units[k] === state.unit);
    Object.assign(one.t.style, { left: `${(100 * state.step) / STEPS}%`, width: `${100 / STEPS}%` });
    one.u.hidden = row < 0;
    Object.assign(one.u.style, { top: `${(100 * row) / one.rows.length}%`, height: `${100 / one.rows.length}%` });
    one.showValue(state.step, state.unit);
  }
}
