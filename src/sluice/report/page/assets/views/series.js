// A series: what was read, what was to be predicted, forecasts from the selected step on, and their intervals.
const MOST_COLUMNS = 8, TABLE_ROWS = 8;

function mountSeries(root, data, state) {
  const { view } = data, axis = data.outputAxis;
  const others = view.columns.filter(({ name }) => !view.targets.some((target) => target.name === name));
  const { strip, bar } = colourStrip(data, state, {});
  const panels = el("div", {});
  let notes = "";
  const forecast = view.targets.length ? readForecasts(view) : null;
  if (forecast) {
    const table = el("div", { class: "series-table" });
    const heads = view.targets.map((target, j) => addTarget(panels, data, state, target, j, forecast));
    if (view.horizon > 1) {
      const choice = el("select", { onchange: () => { forecast.lead = +choice.value; heads.forEach((head) => head.repaint()); } },
        ...Array.from({ length: view.horizon }, (_, k) => el("option", { value: k }, sayAhead(view.ahead + k))));
      choice.value = forecast.lead;
      panels.prepend(el("div", { class: "bar" }, el("label", {}, "line of forecasts ", choice)));
    }
    root.append(el("div", { class: "view-beside" }, panels, table));
    state.on(["step"], () => table.replaceChildren(...view.targets.flatMap((target, j) => [...forecastTable(data, state, target, j, forecast), ...(view.horizon > 1 ? [closeUp(data, state, target, j, forecast)] : [])])));
    notes = el("p", { class: "note" }, view.ahead ? "The dotted line with points is the forecast from the selected step on; the dashed one joins the forecasts made so many steps before." : "The dashed line is the model's output at each step.", sayIntervals(view, forecast));
  } else root.append(panels);
  const columns = others.slice(0, MOST_COLUMNS).map((column, k) => addColumn(panels, data, state, column, {}, k === Math.min(others.length, MOST_COLUMNS) - 1 || !forecast));
  if (others.length > columns.length) {
    const more = el("button", { type: "button", onclick: () => { more.remove(); others.slice(MOST_COLUMNS).forEach((column) => addColumn(panels, data, state, column, {}, false).repaint()); } }, `Show ${others.length - columns.length} more columns`);
    panels.append(more);
  }
  panels.append(bar, strip, notes);
}

function readForecasts(view) {
  const v = unpack(view.forecasts), width = view.forecasts.shape[1], count = view.targets.length, steps = view.forecasts.shape[0];
  const at = (step, k, j) => v[step * width + k * count + j];
  return { at, steps, lead: view.horizon - 1, intervals: view.targets.map((target, j) => target.intervals.map((one) => readInterval(view, one, j, at))),
    line: (k, j) => Float64Array.from({ length: steps }, (_, t) => at(t, k, j)) };
}

// An interval's ends for a step and a step ahead: the model's quantiles, or offsets from its forecast.
function readInterval(view, { percent, lower, upper }, j, at) {
  if (!view.own) return { percent, ends: (step, k) => [at(step, k, j) + lower[k], at(step, k, j) + upper[k]] };
  const low = unpack(lower), high = unpack(upper);
  return { percent, ends: (step, k) => [low[step * view.horizon + k], high[step * view.horizon + k]] };
}

// What the intervals are, and how many of the true values shown they hold.
function sayIntervals(view, { intervals, steps }) {
  if (!intervals[0]?.length) return "";
  if (!view.own) return ` The interval holds ${intervals[0][0].percent} % of the model's own errors on the data read here.`;
  const held = intervals[0].map(({ percent }, place) => {
    let inside = 0, known = 0;
    view.targets.forEach(({ truth }, j) => { for (let t = 0; t < steps; t++) for (let k = 0; k < view.horizon; k++) {
      const v = truth[t + view.ahead + k], [low, high] = intervals[j][place].ends(t, k);
      if (v === null || v === undefined) continue;
      known += 1;
      inside += low <= v && v <= high;
    } });
    return `${sayPercent(inside / Math.max(known, 1))} lie within the interval of ${percent} %`;
  });
  return ` The bands are the model's own intervals. Of the true values of all steps here ${held.join(", ")}.`;
}

// One column: its line, and its value at the selected step.
function addColumn(panels, data, state, { name, values: v }, margins, withSteps) {
  const axis = data.outputAxis, whole = rangeOfValues([v], 0, v.length), decimals = decimalsOf(whole.low, whole.high), here = el("output");
  const value = () => sayValue(v[state.stepOf(axis)], decimals);
  const panel = timePanel(data, state, {
    axis, height: withSteps ? 88 : 70, name, ...margins,
    paint(svg, map) {
      const y = paintScale(svg, map, rangeOfValues([v], map.from, map.to), 4, map.height - (withSteps ? 20 : 4));
      if (withSteps) paintSteps(svg, map, data.axes[axis]);
      svg.append(el("path", { d: linePath(v, map, y), class: "series-truth" }));
      map.dot = svg.appendChild(el("circle", { r: 3.5, class: "series-dot" }));
      map.y = y;
    },
    follow(map) {
      const step = state.stepOf(axis), known = v[step] !== null && step >= map.from && step < map.to;
      markStep(map, step);
      map.dot.style.visibility = known ? "" : "hidden";
      if (known) { map.dot.setAttribute("cx", map.centre(step)); map.dot.setAttribute("cy", map.y(v[step])); }
      here.textContent = value();
    },
    words: () => `${name}: ${value()} at ${stepName(data, axis, state.stepOf(axis))}; from ${sayValue(whole.low, decimals)} to ${sayValue(whole.high, decimals)} in all`,
  });
  panels.append(el("div", { class: "panel-head" }, el("b", {}, name), here), panel);
  return panel;
}

const legendLine = (className, label) => el("span", { class: "series-key" }, el("svg", { width: 26, height: 10, "aria-hidden": "true" }, el("line", { x1: 0, x2: 26, y1: 5, y2: 5, class: className })), label);

// A target: true values, forecasts of one distance with their intervals, and all forecasts of the selected step.
function addTarget(panels, data, state, target, j, forecast) {
  const { view } = data, axis = data.outputAxis, { truth, name } = target, intervals = forecast.intervals[j];
  const whole = rangeOfValues([truth], 0, truth.length), decimals = decimalsOf(whole.low, whole.high);
  const here = el("output"), distance = el("span");
  const facts = () => {
    const step = state.stepOf(axis), k = forecast.lead, then = step + view.ahead + k, known = truth[then] !== null && truth[then] !== undefined;
    const ranges = intervals.map(({ percent, ends }) => `${percent} %: ${ends(step, k).map((v) => sayValue(v, decimals)).join(" to ")}`), { first } = data.axes[axis], distanceWords = view.ahead + k ? `, ${counted(view.ahead + k, "step")} ahead` : "";
    return `${name}${distanceWords}: ${view.ahead ? "forecast" : "output"} ${sayValue(forecast.at(step, k, j), decimals)}` +
      (ranges.length ? ` (${ranges.join("; ")})` : "") +
      `, target ${known ? sayValue(truth[then], decimals) : "unknown"} at step ${first + then}` + (view.ahead ? `; seen from ${stepName(data, axis, step)}, where it is ${sayValue(truth[step], decimals)}` : "");
  };
  const panel = timePanel(data, state, {
    axis, height: 230, name, beyond: Math.max(0, view.ahead + view.horizon - 1),
    paint(svg, map) {
      const k = forecast.lead, line = forecast.line(k, j), shift = view.ahead + k, range = rangeOfValues([truth], map.from, map.end);
      if (range.empty) Object.assign(range, { low: Infinity, high: -Infinity });
      for (let lead = 0; lead < view.horizon; lead++) for (let t = Math.max(0, map.from - view.ahead - lead); t < Math.min(forecast.steps, map.to); t++) {
        const v = forecast.at(t, lead, j), [low, high] = intervals[0]?.ends(t, lead) ?? [v, v];
        range.low = Math.min(range.low, low, v);
        range.high = Math.max(range.high, high, v);
      }
      const y = paintScale(svg, map, range, 6, map.height - 22);
      paintSteps(svg, map, data.axes[axis]);
      intervals.forEach(({ ends }) => svg.append(el("path", { class: "series-band", d: bandPath(map, y, line, shift, (t) => ends(t, k)) })));
      svg.append(el("path", { d: linePath(truth, map, y), class: "series-truth" }), el("path", { d: linePath(line, map, y, shift), class: "series-line" }));
      map.y = y;
      map.fan = svg.appendChild(el("g", { class: "series-fan" }));
      distance.textContent = view.ahead ? `forecast made ${counted(shift, "step")} before` : "output";
    },
    follow(map) {
      const step = state.stepOf(axis), inside = step >= map.from && step < map.to;
      markStep(map, step);
      map.fan.replaceChildren(...(inside && step < forecast.steps ? fan(map, step) : []));
      here.textContent = `${sayValue(truth[step], decimals)} at ${stepName(data, axis, step)}`;
    },
    words: facts,
  });
  // Forecasts from the selected step on; points tell them from the lines of what was.
  const fan = (map, step) => {
    const points = Array.from({ length: view.horizon }, (_, k) => [step + view.ahead + k, forecast.at(step, k, j), k]).filter(([t]) => t < map.end);
    const at = (t, v) => `${map.centre(t).toFixed(1)} ${map.y(v).toFixed(1)}`, drawn = [];
    for (const { ends } of intervals) {
      const ranges = points.map(([t, , k]) => [t, ...ends(step, k)]);
      if (ranges.length > 1) drawn.push(el("path", { class: "series-cone", d: conePath(ranges, at) }));
      else ranges.forEach(([t, low, high]) => drawn.push(el("line", { class: "series-whisker", x1: map.centre(t), x2: map.centre(t), y1: map.y(low), y2: map.y(high) })));
    }
    const known = truth[step] !== null && truth[step] !== undefined && view.ahead;
    if (points.length) drawn.push(el("path", { class: "series-path", d: `M${[...(known ? [at(step, truth[step])] : []), ...points.map(([t, v]) => at(t, v))].join("L")}` }));
    const radius = within((map.right - map.left) / (map.end - map.from) / 3, 2, 3.5);
    points.forEach(([t, v]) => drawn.push(el("circle", { r: radius, cx: map.centre(t), cy: map.y(v) })));
    return drawn;
  };
  const legend = el("span", { class: "legend" }, legendLine("series-truth", "true value"), el("span", { class: "series-key" }, legendLine("series-line", ""), distance), view.ahead ? legendLine("series-path", "forecast from here") : "",
    intervals.length ? el("span", { class: "series-key" }, el("svg", { width: 26, height: 10, "aria-hidden": "true" }, ...intervals.map(() => el("rect", { width: 26, height: 10, class: "series-band" }))), `${intervals.map(({ percent }) => percent).join(" and ")} %`) : "");
  panels.append(el("div", { class: "panel-head" }, el("b", {}, name), here), legend, panel);
  return panel;
}

const conePath = (ranges, at) => `M${ranges.map(([t, low]) => at(t, low)).join("L")}L${ranges.toReversed().map(([t, , high]) => at(t, high)).join("L")}Z`;

function bandPath(map, y, line, shift, ends) {
  const from = Math.max(0, map.from - shift), to = Math.min(line.length, map.end - shift), steps = [...tracePoints(line, from, Math.max(from, to))];
  return steps.length ? conePath(steps.map((t) => [t + shift, ...ends(t)]), (t, v) => `${map.centre(t).toFixed(1)} ${y(v).toFixed(1)}`) : "";
}

// The forecasts of the selected step in numbers; of many distances a few.
function forecastTable(data, state, target, j, forecast) {
  const { view } = data, step = state.stepOf(data.outputAxis), { truth, name } = target, intervals = forecast.intervals[j], whole = rangeOfValues([truth], 0, truth.length), decimals = decimalsOf(whole.low, whole.high);
  const some = Array.from({ length: Math.min(TABLE_ROWS, view.horizon) }, (_, row) => Math.round((row * (view.horizon - 1)) / Math.max(1, Math.min(TABLE_ROWS, view.horizon) - 1)));
  const rows = [...new Set(some)].map((k) => {
    const then = step + view.ahead + k, v = forecast.at(step, k, j), known = truth[then] !== null && truth[then] !== undefined;
    return el("tr", { "data-ahead": view.ahead + k }, ...(view.ahead ? [el("td", {}, `+${view.ahead + k}`)] : []), el("td", { class: "n" }, sayValue(v, decimals)),
      ...intervals.map(({ ends }) => el("td", { class: "n quiet" }, ends(step, k).map((one) => sayValue(one, decimals)).join(" – "))),
      el("td", { class: "n" }, known ? sayValue(truth[then], decimals) : "–"));
  });
  return [el("h3", {}, view.ahead ? `${name}, from ${stepName(data, data.outputAxis, step)}` : `${name} at ${stepName(data, data.outputAxis, step)}`),
    el("table", {}, el("tr", {}, ...(view.ahead ? [el("th", {}, "ahead")] : []), el("th", { class: "n" }, view.ahead ? "forecast" : "output"), ...intervals.map(({ percent }) => el("th", { class: "n" }, `${percent} %`)), el("th", { class: "n" }, "true")), ...rows)];
}

// The forecasts of the selected step from near, in whatever window the page is.
function closeUp(data, state, { truth, name }, j, forecast) {
  const { view } = data, intervals = forecast.intervals[j], step = state.stepOf(data.outputAxis), wide = 272, height = 150, from = Math.max(0, step - view.horizon - 1), end = step + view.ahead + view.horizon + 1;
  const svg = el("svg", { viewBox: `0 0 ${wide} ${height}`, role: "img", "aria-label": `${name} from near, steps ${data.axes[data.outputAxis].first + from} to ${data.axes[data.outputAxis].first + end - 1}` });
  const map = { svg, from, to: end, end, left: 44, right: wide - 6, wide, height, centre: (t) => 44 + ((t - from + 0.5) / (end - from)) * (wide - 50) };
  const points = Array.from({ length: view.horizon }, (_, k) => { const v = forecast.at(step, k, j), [low, high] = intervals[0]?.ends(step, k) ?? [v, v]; return { t: step + view.ahead + k, v, low, high }; });
  const range = rangeOfValues([truth], from, end), y = paintScale(svg, map, { low: Math.min(range.low, ...points.map(({ low }) => low)), high: Math.max(range.high, ...points.map(({ high }) => high)) }, 4, height - 4);
  const at = (t, v) => `${map.centre(t).toFixed(1)} ${y(v).toFixed(1)}`;
  intervals.forEach(({ ends }) => svg.append(el("path", { class: "series-cone", d: conePath(points.map(({ t }, k) => [t, ...ends(step, k)]), at) })));
  svg.append(el("path", { d: linePath(truth, map, y), class: "series-truth" }), el("path", { class: "series-path", d: `M${points.map(({ t, v }) => at(t, v)).join("L")}` }),
    el("g", { class: "series-fan" }, ...points.map(({ t, v }) => el("circle", { r: 3, cx: map.centre(t), cy: y(v) }))), el("line", { class: "panel-now", x1: map.centre(step), x2: map.centre(step), y1: 0, y2: height }));
  return el("div", { class: "panel" }, svg);
}

VIEWS.series = { title: "Series", mount: mountSeries, text: false, predictions: false };
