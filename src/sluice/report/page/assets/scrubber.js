// The scrubber: step, playing, zoom, and an overview of all steps with the part in sight.
function mountScrubber(root, models, shared) {
  const slider = part(root, "slider"), here = part(root, "here"), play = part(root, "play"), which = part(root, "axis");
  const { data } = models[0], time = () => data.axes[shared.axis];
  slider.addEventListener("input", () => shared.choose({ step: +slider.value }));
  part(root, "previous").addEventListener("click", () => shared.choose({ step: shared.stepOf(shared.axis) - 1 }));
  part(root, "next").addEventListener("click", () => shared.choose({ step: shared.stepOf(shared.axis) + 1 }));
  let playing;
  play.addEventListener("click", () => {
    if (playing) { clearInterval(playing); playing = undefined; }
    else playing = setInterval(() => shared.choose({ step: (shared.stepOf(shared.axis) + 1) % time().length }), 250);
    play.textContent = playing ? "Pause" : "Play";
    play.setAttribute("aria-pressed", Boolean(playing));
  });
  const about = () => { const { from, to } = shared.window(), step = shared.stepOf(shared.axis); return step >= from && step < to ? step + 0.5 : (from + to) / 2; };
  part(root, "in").addEventListener("click", () => zoom(shared, shared.axis, 0.5, about()));
  part(root, "out").addEventListener("click", () => zoom(shared, shared.axis, 2, about()));
  part(root, "whole").addEventListener("click", () => shared.choose({ window: { from: 0, to: Infinity } }));
  which.closest("label").hidden = data.axes.length < 2;
  which.append(...data.axes.map((axis, k) => el("option", { value: k }, axis.name)));
  // Choosing an axis chooses the first layer that has it.
  which.addEventListener("change", () => models.forEach(({ data, state }) => {
    const place = data.places.find((one) => one.axis === +which.value);
    if (place && state.axis !== +which.value) state.choose({ place });
    else state.choose({ axis: +which.value });
  }));
  shared.on(["step", "axis", "place"], () => {
    const axis = time(), step = shared.stepOf(shared.axis);
    which.value = shared.axis;
    slider.max = axis.length - 1;
    slider.value = step;
    slider.setAttribute("aria-valuetext", stepName(data, shared.axis, step));
    here.textContent = `step ${axis.first + step} of ${axis.first + axis.length - 1}${labelOf(axis, step) && `:  ${labelOf(axis, step)}`}`;
  });
  document.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (event.key === "Escape" && shared.span) shared.choose({ span: null });
    if (!by || event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented || /SELECT|INPUT/.test(event.target.tagName)) return;
    if (Math.abs(by) > 1 && !event.target.closest(".over-time")) return;
    event.preventDefault();
    if (event.shiftKey) extendSpan(shared, shared.axis, by);
    else shared.choose({ step: shared.stepOf(shared.axis) + by });
  });
  mountOverview(part(root, "overview"), models, shared);
}

// A strip of all steps: the loss, or the mean of the layer's state, and a frame around the part in sight.
function mountOverview(host, models, shared) {
  const canvas = el("canvas", { role: "presentation" }), view = el("div", { class: "view" }), now = el("div", { class: "now" });
  host.replaceChildren(canvas, view, now);
  const { data, state } = models[0], length = () => data.axes[shared.axis].length;
  const toStep = (x) => { const box = host.getBoundingClientRect(); return ((x - box.left) / box.width) * length(); };
  const series = () => {
    if (data.losses && shared.axis === data.outputAxis) return data.losses;
    const place = state.axis === shared.axis ? state.place : data.places.find((one) => one.axis === shared.axis);
    return place.values[place.state].mean;
  };
  function draw() {
    const pen = canvas.getContext("2d"), wide = (canvas.width = Math.max(200, host.clientWidth * (devicePixelRatio || 1))), high = (canvas.height = 40), v = series(), { low, high: top } = rangeOf([{ v }], 0, v.length);
    pen.strokeStyle = getComputedStyle(host).getPropertyValue("--quiet");
    pen.beginPath();
    let started = false;
    for (const t of tracePoints(v, 0, v.length, wide / 2)) {
      if (v[t] === null) { started = false; continue; }
      const x = ((t + 0.5) / v.length) * wide, y = high - 3 - ((v[t] - low) / (top - low || 1)) * (high - 6);
      started ? pen.lineTo(x, y) : pen.moveTo(x, y);
      started = true;
    }
    pen.stroke();
  }
  const move = () => {
    const { from, to } = shared.window(), all = length(), { first } = data.axes[shared.axis], step = shared.stepOf(shared.axis);
    Object.assign(view.style, { left: `${(100 * from) / all}%`, width: `${(100 * (to - from)) / all}%` });
    now.style.left = `${(100 * (step + 0.5)) / all}%`;
    host.setAttribute("aria-valuemin", first); host.setAttribute("aria-valuemax", first + all - 1); host.setAttribute("aria-valuenow", first + from);
    host.setAttribute("aria-valuetext", to - from === all ? `all ${all} steps in sight` : `steps ${first + from} to ${first + to - 1} of ${first + all - 1} in sight`);
    part(host.parentElement, "sight").textContent = to - from === all ? `all ${all.toLocaleString("en")} steps` : `steps ${first + from}–${first + to - 1}`;
  };
  let drag = null;
  host.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const { from, to } = shared.window(), at = toStep(event.clientX);
    if (to - from === length()) shared.choose({ step: Math.floor(at) });
    else if (at < from || at >= to) shared.choose({ window: { from: at - (to - from) / 2, to: at + (to - from) / 2 } });
    drag = { at, from: shared.window().from, size: to - from };
    host.setPointerCapture(event.pointerId);
  });
  host.addEventListener("pointermove", (event) => {
    if (!drag) return;
    if (drag.size === length()) { shared.choose({ step: Math.floor(toStep(event.clientX)) }); return; }
    const from = drag.from + toStep(event.clientX) - drag.at;
    shared.choose({ window: { from, to: from + drag.size } });
  });
  for (const kind of ["pointerup", "pointercancel"]) host.addEventListener(kind, () => { drag = null; });
  host.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { from, to } = shared.window();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan(shared, shared.axis, ((event.deltaX || event.deltaY) / 400) * (to - from));
    else zoom(shared, shared.axis, 2 ** within(event.deltaY / 200, -2, 2), toStep(event.clientX));
  }, { passive: false });
  host.addEventListener("keydown", (event) => {
    if (zoomKeys(shared, shared.axis, event)) return;
    const { from, to } = shared.window(), by = { ArrowLeft: -0.25, ArrowRight: 0.25, ArrowDown: -0.25, ArrowUp: 0.25, PageUp: -1, PageDown: 1, Home: -Infinity, End: Infinity }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const start = Number.isFinite(by) ? from + by * (to - from) : by < 0 ? 0 : length();
    shared.choose({ window: { from: start, to: start + to - from } });
  });
  shared.on(["axis", "theme"], draw);
  shared.on(["axis", "step", "window"], move);
  addEventListener("resize", draw);
}
