// Heat maps: units from top to bottom, time from left to right, a cursor at the step and the unit.
const COLUMNS = 1200;

function unitOrder(place, order) {
  const units = place.units.map((_, k) => k);
  if (order === "number") return units;
  const { v, width } = values(place, place.keeps && order === "mean" ? place.keeps : place.state), length = v.length / width;
  const key = (u) => {
    let sum = 0, best = 0, at = 0;
    for (let t = 0; t < length; t++) {
      const x = v[t * width + u];
      sum += x;
      if (Math.abs(x) > best) { best = Math.abs(x); at = t; }
    }
    return order === "mean" ? -sum : at;
  };
  const keys = units.map((u) => (u < width ? key(u) : Infinity));
  return units.sort((a, b) => keys[a] - keys[b] || a - b);
}

function mountHeat(root, data, state) {
  const host = part(root, "heat");
  let planes = [];
  const draw = () => {
    const { place } = state, order = unitOrder(place, state.order);
    planes = Object.keys(place.values).map((name) => heatPlane(data, state, { place, name, order }));
    host.replaceChildren(...planes.map((one) => one.figure));
    part(root, "kept").textContent = place.units.length < place.width
      ? `${place.units.length} of ${place.width} units: the most variable and the selective ones` : `all ${place.width} units`;
  };
  part(root, "order").addEventListener("change", (event) => state.choose({ order: event.target.value }));
  state.on(["place", "order", "theme"], draw);
  state.on(["window"], () => planes.forEach((one) => one.draw()));
  state.on(["step", "unit", "span"], () => planes.forEach((one) => one.move()));
}

// One value of a layer; numbers is what it shows in place of the layer's own: {v, width}.
function heatPlane(data, state, { place, name, order, numbers, title }) {
  const found = numbers ?? values(place, name), { width } = found, rows = order.filter((u) => u < width), range = extent(found.v);
  const map = colours(range.low, range.high), time = data.axes[place.axis], caption = title ?? named(name, place.values[name].symbol);
  const canvas = el("canvas", { role: "img" }), readout = el("output", { "aria-live": "off" });
  const t = el("div", { class: "t" }), u = el("div", { class: "u" }), s = el("div", { class: "s" }), scale = el("span", { class: "scale" });
  drawScale(scale, map, "", range);
  let from = 0, to = 1;
  const toStep = (x) => { const box = canvas.getBoundingClientRect(); return from + ((x - box.left) / box.width) * (to - from); };
  const unitAt = (y) => { const box = canvas.getBoundingClientRect(); return place.units[rows[within(Math.floor(((y - box.top) / box.height) * rows.length), 0, rows.length - 1)]]; };
  const say = (step, unit) => {
    const column = place.units.indexOf(unit), value = column < 0 || column >= width ? undefined : found.v[step * width + column];
    readout.textContent = `${stepName(data, place.axis, step)} · unit ${unit}: ${number(value)}`;
  };
  const area = el("div", {
    class: "plane over-time", tabindex: 0, role: "group", "aria-label": `${name}: arrow keys select a step and a unit, plus and minus zoom`,
    onmousemove: (event) => say(within(Math.floor(toStep(event.clientX)), 0, time.length - 1), unitAt(event.clientY)),
    onmouseleave: () => say(state.step, state.unit),
    onkeydown: (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const row = rows.findIndex((k) => place.units[k] === state.unit);
      state.choose({ unit: place.units[rows[within(row + by, 0, rows.length - 1)]] });
    },
  }, canvas, s, t, u);
  followTime(area, state, () => place.axis, { toStep, onpick: (event, step) => state.choose({ step, unit: unitAt(event.clientY), span: null }) });
  const figure = el("figure", { "data-value": name }, el("figcaption", {}, el("b", {}, ...caption), readout), area, scale);

  const draw = () => {
    ({ from, to } = state.window(place.axis));
    const columns = Math.min(to - from, COLUMNS);
    canvas.width = columns;
    canvas.height = rows.length;
    const pen = canvas.getContext("2d"), image = pen.createImageData(columns, rows.length), first = (c) => from + Math.floor((c * (to - from)) / columns);
    rows.forEach((unit, row) => {
      for (let c = 0; c < columns; c++) {
        const start = first(c), stop = first(c + 1);
        let sum = 0;
        for (let k = start; k < stop; k++) sum += found.v[k * width + unit];
        image.data.set([...map.of(sum / (stop - start)), 255], 4 * (row * columns + c));
      }
    });
    pen.putImageData(image, 0, 0);
    const mean = to - from > columns ? `; a column is the mean of ${Math.round((to - from) / columns * 10) / 10} steps` : "";
    canvas.setAttribute("aria-label", `${name} of ${counted(rows.length, "unit")}, steps ${time.first + from} to ${time.first + to - 1}: from ${number(range.least)} to ${number(range.most)}${mean}`);
    area.title = mean.slice(2);
    move();
  };
  const move = () => {
    const step = state.stepOf(place.axis), row = rows.findIndex((k) => place.units[k] === state.unit), span = state.span?.axis === place.axis ? state.span : null, size = to - from;
    t.hidden = step < from || step >= to;
    Object.assign(t.style, { left: `${(100 * (step - from)) / size}%`, width: `${100 / size}%` });
    u.hidden = row < 0;
    Object.assign(u.style, { top: `${(100 * row) / rows.length}%`, height: `${100 / rows.length}%` });
    s.hidden = !span || span.stop <= from || span.start >= to;
    if (!s.hidden) Object.assign(s.style, { left: `${(100 * (Math.max(from, span.start) - from)) / size}%`, width: `${(100 * (Math.min(to, span.stop) - Math.max(from, span.start))) / size}%` });
    say(step, state.unit);
  };
  draw();
  return { figure, draw, move };
}
