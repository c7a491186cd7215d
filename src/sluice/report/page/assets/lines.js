// Line charts over time, and scatter plots of units, as SVG.
const DASHES = ["", "7 3", "2 2.5", "9 3 2 3", "5 2", "1 3"];
const WIDE = 560, HIGH = 220, LEFT = 52, RIGHT = 10, TOP = 8, LOW = 26, POINTS = 900;
const svgBox = (label) => el("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label });

function axisTicks(from, to, log) {
  if (log) {
    const low = Math.ceil(Math.log10(from) - 1e-9), high = Math.floor(Math.log10(to) + 1e-9), by = Math.max(1, Math.ceil((high - low) / 5));
    const found = [];
    for (let k = low; k <= high; k += by) found.push(10 ** k);
    return found.length > 1 ? found : [from, to];
  }
  const rough = (to - from) / 4, power = 10 ** Math.floor(Math.log10(rough)), by = [1, 2, 5, 10].find((k) => k * power >= rough) * power;
  const found = [];
  for (let v = Math.ceil(from / by) * by; v <= to + by * 1e-6; v += by) found.push(Math.abs(v) < by * 1e-6 ? 0 : v);
  return found;
}

const power = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const tick = (v, log) => {
  if (!log) return String(+v.toPrecision(3));
  const k = Math.log10(v), whole = Math.round(k);
  return Math.abs(k - whole) < 1e-9 ? "10" + (whole < 0 ? "⁻" : "") + [...String(Math.abs(whole))].map((d) => power[d]).join("") : v.toPrecision(2);
};

// Where a number lies between two others, from 0 to 1; logarithms apart, so that no quotient overflows.
const share = (v, { from, to, log }) => log ? (Math.log(v) - Math.log(from)) / (Math.log(to) - Math.log(from)) : (v - from) / (to - from || 1);

function axes(svg, x, y, labels) {
  const mapX = (v) => LEFT + share(v, x) * (WIDE - LEFT - RIGHT);
  const mapY = (v) => HIGH - LOW - share(v, y) * (HIGH - LOW - TOP);
  for (const v of axisTicks(y.from, y.to, y.log))
    svg.append(el("line", { class: "axis", x1: LEFT, x2: WIDE - RIGHT, y1: mapY(v), y2: mapY(v) }), el("text", { x: LEFT - 6, y: mapY(v) + 4, "text-anchor": "end" }, tick(v, y.log)));
  for (const v of axisTicks(x.from, x.to, x.log))
    svg.append(el("text", { x: mapX(v), y: HIGH - LOW + 14, "text-anchor": "middle" }, tick(v, x.log)));
  svg.append(el("text", { x: (LEFT + WIDE - RIGHT) / 2, y: HIGH - 1, "text-anchor": "middle" }, labels.x));
  return { mapX, mapY };
}

// The steps of a window that a line goes through: all, or of many the lowest and the highest of each of `count` parts.
function* tracePoints(v, from, to, count = POINTS) {
  const by = Math.max(1, (to - from) / count);
  if (by <= 2) { for (let t = from; t < to; t++) yield t; return; }
  for (let k = 0; k < count; k++) {
    const start = Math.floor(from + k * by), stop = k === count - 1 ? to : Math.floor(from + (k + 1) * by);
    let low = start, high = start;
    for (let t = start; t < stop; t++) { if (v[t] < v[low]) low = t; if (v[t] > v[high]) high = t; }
    yield Math.min(low, high);
    if (low !== high) yield Math.max(low, high);
  }
}

function rangeOf(series, from, to, log) {
  let low = Infinity, high = -Infinity, zeros = 0;
  for (const { v } of series) for (let t = from; t < to; t++) {
    if (v[t] === null || v[t] === undefined) continue;
    if (log && !(v[t] > 0)) { zeros++; continue; }
    if (v[t] < low) low = v[t];
    if (v[t] > high) high = v[t];
  }
  return { low, high, zeros };
}

// series: [{name, v, whole}] over the steps of an axis; a missing number leaves a gap, and so does 0 on a logarithmic axis.
// The chart is redrawn by host.draw() (another window) and host.follow() (another step).
function lineChart(host, data, state, { title, series, axis = state.axis, log = false, note = "" }) {
  const { first } = data.axes[axis];
  const legend = el("div", { class: "legend" }, ...series.map((s, k) =>
    el("span", {}, el("svg", { viewBox: "0 0 26 10", "aria-hidden": "true" }, el("line", { x1: 0, x2: 26, y1: 5, y2: 5, style: `stroke:var(--line${k % 6})`, "stroke-width": 2, "stroke-dasharray": DASHES[k % 6] })), el("span", {}))));
  const box = el("div", { class: "over-time", tabindex: 0, role: "group", "aria-label": `${title}: arrow keys select a step, plus and minus zoom` });
  const said = el("p", { class: "note clipped" });
  let cursor, band, mapX = () => LEFT, window_ = state.window(axis);
  host.replaceChildren(el("h3", {}, title), legend, box, said, ...(note ? [el("p", { class: "note" }, note)] : []));
  followTime(box, state, () => axis, { toStep: (x) => {
    const area = box.getBoundingClientRect(), { from, to } = window_;
    return from + (((x - area.left) / area.width) * WIDE - LEFT) / (WIDE - LEFT - RIGHT) * (to - from - 1) + 0.5;
  } });
  host.draw = () => {
    const { from, to } = (window_ = state.window(axis)), { low, high, zeros } = rangeOf(series, from, to, log);
    if (low > high) { box.replaceChildren(el("p", { class: "quiet" }, log ? "All values here are zero." : "No values here.")); legend.hidden = true; said.textContent = ""; cursor = null; return; }
    legend.hidden = false;
    let y = { from: Math.min(0, low), to: high > low || high > 0 ? Math.max(high, Math.min(0, low) + 1e-300) : low + 1 };
    if (log) y = { from: low, to: high, log: true };
    if (log && Math.log10(high) - Math.log10(low) < 1) y = { from: low / 3, to: high * 3, log: true };
    const svg = svgBox(`${title}, steps ${first + from} to ${first + to - 1}. ` + series.map((s) => { const r = rangeOf([s], from, to, log); return r.low > r.high ? `${s.name}: 0` : `${s.name}: ${number(r.low)} to ${number(r.high)}`; }).join("; "));
    const map = axes(svg, { from: first + from, to: first + Math.max(from + 1, to - 1) }, y, { x: "step" });
    mapX = map.mapX;
    band = el("rect", { class: "band", y: TOP, height: HIGH - LOW - TOP });
    svg.append(band);
    series.forEach((s, k) => {
      let path = "", pen = false;
      for (const t of tracePoints(s.v, from, to)) {
        const v = s.v[t];
        if (v === null || v === undefined || (log && !(v > 0))) { pen = false; continue; }
        path += (pen ? "L" : "M") + mapX(first + t).toFixed(1) + " " + map.mapY(v).toFixed(1);
        pen = true;
      }
      svg.append(el("path", { d: path, fill: "none", style: `stroke:var(--line${k % 6})`, "stroke-width": 1.4, "stroke-dasharray": DASHES[k % 6] }));
    });
    cursor = el("line", { class: "cursor", y1: TOP, y2: HIGH - LOW });
    svg.append(cursor);
    box.replaceChildren(svg);
    said.textContent = [zeros ? `${counted(zeros, "value")} of 0 ${zeros === 1 ? "has" : "have"} no place on a logarithmic axis.` : "",
      to - from > 2 * POINTS ? `Of every ${Math.ceil((to - from) / POINTS)} steps the lowest and the highest value are drawn.` : ""].join(" ").trim();
    host.follow();
  };
  host.follow = () => {
    if (!cursor) return;
    const step = state.stepOf(axis), { from, to } = window_, inside = step >= from && step < to;
    cursor.style.visibility = inside ? "" : "hidden";
    cursor.setAttribute("x1", mapX(first + step)); cursor.setAttribute("x2", mapX(first + step));
    series.forEach((s, k) => { legend.children[k].lastChild.textContent = `${s.name} ${s.whole ? s.v[step] : number(s.v[step])}`; });
    const span = state.span?.axis === axis ? state.span : null, a = within(span?.start ?? 0, from, to), b = within(span ? span.stop - 1 : 0, from, to - 1);
    band.style.visibility = span && b >= a ? "" : "hidden";
    band.setAttribute("x", mapX(first + a)); band.setAttribute("width", Math.max(2, mapX(first + b) - mapX(first + a)));
  };
  host.draw();
}

// Charts below a root that follow the state; draw is called for their first drawing.
function followCharts(root, state) {
  const all = (name) => root.querySelectorAll(".chart").forEach((chart) => chart[name]?.());
  state.on(["window"], () => all("draw"));
  state.on(["step", "span", "unit"], () => all("follow"));
}

// points: [{unit, x, y, label}]; a click selects the unit.
function cloud(host, state, title, points, x, y, note) {
  const svg = svgBox(`${title}: ${points.length} units; ${y.label} ${number(Math.min(...points.map((p) => p.y)))} to ${number(Math.max(...points.map((p) => p.y)))}`), { mapX, mapY } = axes(svg, x, y, { x: x.label });
  svg.append(el("text", { x: LEFT, y: TOP - 1, "text-anchor": "start" }, y.label));
  const dots = points.map((p) => el("circle", { class: "dot", r: 3.2, cx: mapX(p.x).toFixed(1), cy: mapY(p.y).toFixed(1), onclick: () => state.place.units.includes(p.unit) && state.choose({ unit: p.unit }) },
    el("title", {}, `unit ${p.unit}: ${p.label}`)));
  svg.append(...dots);
  const here = el("p", { class: "legend" });
  host.replaceChildren(el("h3", {}, title), here, svg, el("p", { class: "note" }, note));
  host.follow = () => points.forEach((p, k) => {
    dots[k].classList.toggle("now", p.unit === state.unit);
    if (p.unit === state.unit) { svg.append(dots[k]); here.textContent = `unit ${p.unit}: ${p.label}`; }
  });
  host.follow();
}
