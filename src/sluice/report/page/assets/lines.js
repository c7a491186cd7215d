// Line charts over time, and scatter plots of units, as SVG.
const DASHES = ["", "7 3", "2 2.5", "9 3 2 3", "5 2", "1 3"];
const WIDE = 560, HIGH = 220, LEFT = 52, RIGHT = 10, TOP = 8, LOW = 26;
const svgBox = (label) => el("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label });

function axisTicks(from, to, log) {
  if (log) {
    const low = Math.ceil(Math.log10(from)), high = Math.floor(Math.log10(to)), by = Math.max(1, Math.ceil((high - low) / 5));
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
  const k = Math.log10(v);
  return Number.isInteger(k) ? "10" + (k < 0 ? "⁻" : "") + [...String(Math.abs(k))].map((d) => power[d]).join("") : v.toPrecision(2);
};

function axes(svg, x, y, labels) {
  const mapX = (v) => LEFT + ((x.log ? Math.log(v / x.from) / Math.log(x.to / x.from) : (v - x.from) / (x.to - x.from || 1))) * (WIDE - LEFT - RIGHT);
  const mapY = (v) => HIGH - LOW - ((y.log ? Math.log(v / y.from) / Math.log(y.to / y.from) : (v - y.from) / (y.to - y.from || 1))) * (HIGH - LOW - TOP);
  for (const v of axisTicks(y.from, y.to, y.log))
    svg.append(el("line", { class: "axis", x1: LEFT, x2: WIDE - RIGHT, y1: mapY(v), y2: mapY(v) }), el("text", { x: LEFT - 6, y: mapY(v) + 4, "text-anchor": "end" }, tick(v, y.log)));
  for (const v of axisTicks(x.from, x.to, x.log))
    svg.append(el("text", { x: mapX(v), y: HIGH - LOW + 14, "text-anchor": "middle" }, tick(v, x.log)));
  svg.append(el("text", { x: (LEFT + WIDE - RIGHT) / 2, y: HIGH - 1, "text-anchor": "middle" }, labels.x));
  return { mapX, mapY };
}

// series: [{name, v, line}]; a missing number, or one not above 0 on a logarithmic axis, leaves a gap.
function lineChart(host, title, series, { log = false, y = "" } = {}) {
  const all = series.flatMap((s) => s.v).filter((v) => v !== null && (!log || v > 0));
  host.replaceChildren(el("h3", {}, title));
  if (!all.length) { host.append(el("p", { class: "quiet" }, "All values are zero.")); return; }
  let from = all.reduce((a, b) => Math.min(a, b)), to = all.reduce((a, b) => Math.max(a, b));
  if (log) { from = Math.max(from, to * 1e-15); if (to / from < 10) { from /= 3; to *= 3; } }
  else { from = Math.min(0, from); to = to > from ? to : from + 1; }
  const svg = svgBox(title), first = DATA.first;
  const { mapX, mapY } = axes(svg, { from: first, to: first + Math.max(1, STEPS - 1) }, { from, to, log }, { x: "step" });
  series.forEach((s, k) => {
    let path = "", pen = false;
    s.v.forEach((v, t) => {
      if (v === null || (log && v < from)) { pen = false; return; }
      path += (pen ? "L" : "M") + mapX(first + t).toFixed(1) + " " + mapY(v).toFixed(1);
      pen = true;
    });
    svg.append(el("path", { d: path, fill: "none", style: `stroke:var(--line${k % 6})`, "stroke-width": 1.4, "stroke-dasharray": DASHES[k % 6] }));
  });
  const cursor = el("line", { class: "cursor", y1: TOP, y2: HIGH - LOW });
  svg.append(cursor);
  const move = () => {
    cursor.setAttribute("x1", mapX(first + state.step)); cursor.setAttribute("x2", mapX(first + state.step));
    series.forEach((s, k) => { legend.children[k].lastChild.textContent = `${s.name} ${s.whole ? s.v[state.step] : number(s.v[state.step])}`; });
  };
  const legend = el("div", { class: "legend" }, ...series.map((s, k) =>
    el("span", {}, el("svg", { viewBox: "0 0 26 10" }, el("line", { x1: 0, x2: 26, y1: 5, y2: 5, style: `stroke:var(--line${k % 6})`, "stroke-width": 2, "stroke-dasharray": DASHES[k % 6] })), el("span", {}))));
  svg.addEventListener("click", (event) => choose({ step: Math.round(((event.offsetX * WIDE) / svg.clientWidth - LEFT) / (WIDE - LEFT - RIGHT) * (STEPS - 1)) }));
  host.append(legend, svg, y ? el("p", { class: "note" }, y) : "");
  move();
  host.follow = move;
}

// points: [{unit, x, y}]; a click selects the unit.
function cloud(host, title, points, x, y, note) {
  const svg = svgBox(title), { mapX, mapY } = axes(svg, x, y, { x: x.label });
  svg.append(el("text", { x: LEFT, y: TOP - 1, "text-anchor": "start" }, y.label));
  const dots = points.map((p) => el("circle", { class: "dot", r: 3.2, cx: mapX(p.x), cy: mapY(p.y), onclick: () => state.place.units.includes(p.unit) && choose({ unit: p.unit }) },
    (() => { const title = document.createElementNS("http://www.w3.org/2000/svg", "title"); title.textContent = `unit ${p.unit}: ${p.label}`; return title; })()));
  svg.append(...dots);
  host.replaceChildren(el("h3", {}, title), svg, el("p", { class: "note" }, note));
  host.follow = () => points.forEach((p, k) => { dots[k].classList.toggle("now", p.unit === state.unit); if (p.unit === state.unit) svg.append(dots[k]); });
  host.follow();
}
