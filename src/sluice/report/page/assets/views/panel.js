// What the views of series, labels and rolls are drawn on: pictures over the steps of an axis, in the width that they have.
const PANEL_LEFT = 56, PANEL_RIGHT = 12;

// Decimals with which numbers of a range are told apart, about a thousand of them.
const decimalsOf = (low, high) => within(2 - Math.floor(Math.log10(high - low || Math.abs(high) || 1)), 0, 8);
function sayValue(v, decimals) {
  if (v === null || v === undefined || Number.isNaN(v)) return "missing";
  if (decimals > 6 || Math.abs(v) >= 1e7) return String(+v.toPrecision(4));
  return v.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).replace("-", "−");
}
const sayPercent = (share) => (share > 0 && share < 0.005 ? "<1 %" : share < 1 && share >= 0.995 ? ">99 %" : `${Math.round(100 * share)} %`);
const sayAhead = (count) => (count ? `${counted(count, "step")} ahead` : "at this step");

function rangeOfValues(lists, from, to) {
  let low = Infinity, high = -Infinity;
  for (const values of lists) for (let t = from; t < Math.min(to, values.length); t++) {
    const v = values[t];
    if (v === null || v === undefined || Number.isNaN(v)) continue;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low > high ? { low: 0, high: 1, empty: true } : { low, high };
}

// A picture over time: paint(svg, map) draws it anew, follow(map) marks the selected step, words() is what it shows.
// beyond: steps after the last one for which there is room. The element returned has .repaint().
function timePanel(data, state, { axis, height, left = PANEL_LEFT, right = PANEL_RIGHT, beyond = 0, paint, follow, words, name }) {
  const box = el("div", { class: "panel over-time", tabindex: 0, role: "group", "aria-label": `${name}: arrow keys select a step, plus and minus zoom` });
  const width = () => Math.max(240, box.clientWidth || 640);
  const bounds = () => { const { from, to } = state.window(axis); return { from, to, end: to === data.axes[axis].length ? to + beyond : to }; };
  let map = null;
  followTime(box, state, () => axis, { toStep: (x) => {
    const { from, end } = bounds();
    return from + ((x - box.getBoundingClientRect().left - left) / (width() - left - right)) * (end - from);
  } });
  box.repaint = () => {
    const { from, to, end } = bounds(), wide = width();
    const svg = el("svg", { width: wide, height, viewBox: `0 0 ${wide} ${height}`, role: "img" });
    const x = (step) => left + ((step - from) / (end - from)) * (wide - left - right);
    map = { svg, foot: 0, from, to, end, left, right: wide - right, wide, height, x, centre: (step) => x(step + 0.5) };
    box.replaceChildren(svg);
    paint(svg, map);
    box.follow();
  };
  box.follow = () => {
    if (!map) return;
    follow?.(map);
    map.svg.setAttribute("aria-label", words());
  };
  state.on(["window", "theme"], box.repaint);
  state.on(["step"], box.follow);
  new ResizeObserver(() => { if (map && map.wide !== width()) box.repaint(); }).observe(box);
  return box;
}

// A vertical line at the selected step, the first time a new one.
function markStep(map, step, key = "cursor") {
  const line = (map[key] ??= map.svg.appendChild(el("line", { class: "panel-now", y1: 0 })));
  line.setAttribute("y2", map.height - map.foot);
  line.style.visibility = step >= map.from && step < map.to ? "" : "hidden";
  line.setAttribute("x1", map.centre(step));
  line.setAttribute("x2", map.centre(step));
}

// The vertical scale of values: lines and numbers; from a value to a height.
function paintScale(svg, map, { low, high }, top, bottom) {
  const pad = 0.06 * (high - low) || Math.abs(high) * 0.1 || 1, from = low - pad, to = high + pad, decimals = decimalsOf(low, high);
  const y = (v) => bottom - ((v - from) / (to - from)) * (bottom - top);
  for (const v of axisTicks(from, to)) {
    if (y(v) < top + 4 || y(v) > bottom - 1) continue;
    svg.append(el("line", { class: "panel-grid", x1: map.left, x2: map.right, y1: y(v), y2: y(v) }),
      el("text", { x: map.left - 6, y: y(v) + 4, "text-anchor": "end" }, v.toLocaleString("en-US", { maximumFractionDigits: decimals }).replace("-", "−")));
  }
  return y;
}

// Numbers of steps, or their names or times, along the foot of a picture.
function paintSteps(svg, map, { first, length, tokens, times }) {
  map.foot = 18;
  for (const t of chooseTicks(map, { first, length, tokens, times })) {
    const text = tickText({ first, tokens, times }, t, map), x = map.centre(t), half = 3.3 * text.length;
    svg.append(el("line", { class: "panel-grid", x1: x, x2: x, y1: map.height - 18, y2: map.height - 14 }),
      el("text", { x: within(x, map.left + half - 20, map.right - half + 8), y: map.height - 3, "text-anchor": "middle" }, text));
  }
}

// The steps that get a name: every one of few; else evenly spaced ones, those with the shortest names (such as whole days) first.
function chooseTicks(map, { first, tokens, times, length }) {
  const size = map.end - map.from, step = (map.right - map.left) / size, to = Math.min(map.end, length), widest = (list) => 7.2 * list.slice(map.from, to).reduce((most, text) => Math.max(most, String(text).length), 0) + 10;
  const all = (by, start) => { const found = []; for (let t = start; t < (times ? to : map.end); t += by) found.push(t); return found; };
  map.named = Boolean(tokens) && widest(tokens) <= step;
  if (map.named) return all(1, map.from).filter((t) => t < length);
  const room = Math.max(1, Math.floor((map.right - map.left) / (times ? Math.max(60, widest(times)) : 60)));
  if (times) {
    const short = Math.min(...times.map((time) => String(time).length)), round = all(1, map.from).filter((t) => String(times[t]).length === short);
    if (round.length > 1 && round.length < size / 2) { const by = Math.ceil(round.length / room); return round.filter((_, k) => k % by === 0); }
  }
  const by = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000].find((k) => size / k <= room) ?? 20000;
  return all(by, Math.ceil((first + map.from) / by) * by - first);
}
const tickText = ({ first, tokens, times }, t, { named }) => (named ? shown(tokens[t]) : times ? String(times[t] ?? "") : String(first + t));

// Cells of colour, [red, green, blue, opacity], as one picture in a rectangle: rgba(column, row).
function paintCells(svg, columns, rows, rgba, { x, y, width, height }) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: columns, height: rows });
  const pen = canvas.getContext("2d"), image = pen.createImageData(columns, rows);
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) image.data.set(rgba(column, row), 4 * (row * columns + column));
  pen.putImageData(image, 0, 0);
  svg.append(el("image", { href: canvas.toDataURL(), x, y, width, height, preserveAspectRatio: "none", style: "image-rendering:pixelated" }));
}

// A line through values over steps, with gaps where they are missing.
function linePath(values, map, y, shift = 0) {
  let path = "", pen = false;
  const from = Math.max(0, map.from - shift), to = Math.min(values.length, map.end - shift);
  for (const t of tracePoints(values, from, Math.max(from, to))) {
    const v = values[t];
    if (v === null || v === undefined || Number.isNaN(v)) { pen = false; continue; }
    path += `${pen ? "L" : "M"}${map.centre(t + shift).toFixed(1)} ${y(v).toFixed(1)}`;
    pen = true;
  }
  return path;
}

// The chosen value of the layer as a row of colours: its element, and selects for it.
function colourStrip(data, state, margins) {
  const choice = () => (state.colour in state.place.values ? state.colour : state.place.state);
  const numbers = () => {
    const packed = state.place.values[choice()];
    return (state.of === "unit" && unitOverTime(state.place, choice(), state.unit)) || packed.mean;
  };
  const what = () => `${choice()} ${state.of === "unit" ? `of unit ${state.unit}` : "(mean of all units)"}`;
  const strip = timePanel(data, state, {
    axis: data.outputAxis, height: 16, ...margins, name: "A gate over time",
    paint(svg, map) {
      const v = numbers(), range = extent(v), colour = colours(range.low, range.high), x = map.x(map.from);
      paintCells(svg, map.to - map.from, 1, (t) => [...colour.of(v[map.from + t]), 255], { x, y: 1, width: map.x(map.to) - x, height: 13 });
      drawScale(scale, colour, what(), range.clipped ? range : null);
    },
    follow: (map) => markStep(map, state.stepOf(data.outputAxis)),
    words: () => `${what()} at ${stepName(data, data.outputAxis, state.stepOf(data.outputAxis))}: ${number(numbers()[state.stepOf(data.outputAxis)])}`,
  });
  const scale = el("span", { class: "scale" }), select = el("select", { onchange: () => state.choose({ colour: select.value }) });
  const of = el("select", { onchange: () => state.choose({ of: of.value }) }, el("option", { value: "mean" }, "mean of all units"), el("option", { value: "unit" }, "the selected unit"));
  state.on(["place"], () => select.replaceChildren(...Object.entries(state.place.values).map(([name, v]) => el("option", { value: name }, bare(v.symbol) === name ? name : `${name} ${bare(v.symbol)}`))));
  state.on(["place", "colour", "of"], () => { select.value = choice(); of.value = state.of; });
  state.on(["place", "unit", "colour", "of"], () => strip.repaint());
  const bar = el("div", { class: "bar" }, el("label", {}, "colour ", select), el("label", {}, "of ", of), scale);
  return { strip, bar };
}
