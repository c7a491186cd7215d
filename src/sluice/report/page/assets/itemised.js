// Itemised gradients (Cashman et al. 2018, RNNbow): how much of the gradient at a step comes from each later loss.
function mountItemised(root, data, state) {
  const section = part(root, "s-itemised"), heat = part(root, "itemised-heat"), bars = part(root, "itemised-bars");
  let plane = null;
  // The shares of the losses at one step of the layer.
  const column = (place, step) => { const v = unpackOnce(place.shares), width = place.shares.shape[1]; return place.shares.steps.map((_, row) => v[row * width + step]); };

  function drawBars() {
    const { place } = state;
    if (!place.shares) return;
    const { steps } = place.shares, step = state.step, sizes = column(place, step), total = sizes.reduce((a, b) => a + b, 0), largest = Math.max(...sizes), time = data.axes[data.outputAxis];
    const mark = bare(place.values[place.state].symbol), zeros = sizes.filter((v) => v === 0).length;
    const title = `Gradient ‖∂L/∂${mark}‖ at ${stepName(data, place.axis, step)}`;
    if (!(total > 0)) { bars.replaceChildren(el("h3", {}, title), el("p", { class: "quiet" }, "No loss that is computed here depends on this step.")); return; }
    const ranked = steps.map((at, k) => ({ at, v: sizes[k] })).filter(({ v }) => v > 0).sort((a, b) => b.v - a.v);
    const map = colours(Math.max(largest * 1e-6, Number.MIN_VALUE), largest, true);
    const stack = el("div", { class: "stack", role: "img", "aria-label": `${title}: ${ranked.slice(0, 5).map(({ at, v }) => `${(100 * v / total).toFixed(1)} % from step ${time.first + at}`).join(", ")}` },
      ...steps.map((at, k) => ({ at, v: sizes[k] })).filter(({ v }) => v / total > 0.002).map(({ at, v }) => el("span", { title: `loss of ${stepName(data, data.outputAxis, at)}: ${number(v)}`, style: `flex:${v / total} 0 0;background:${css(map.of(v))};color:${readable(map.of(v))}` }, v / total > 0.05 ? labelOf(time, at) || time.first + at : "")));
    const rows = ranked.slice(0, 8).map(({ at, v }) => el("tr", {}, el("td", {}, stepName(data, data.outputAxis, at)), el("td", { class: "n" }, at - step), el("td", { class: "n" }, number(v)), el("td", { class: "n" }, `${(100 * v / total).toFixed(1)} %`)));
    bars.replaceChildren(el("h3", {}, title), stack, el("table", {}, el("tr", {}, ...["loss of", "steps later", "norm", "share"].map((name, k) => el("th", { scope: "col", class: k ? "n" : "" }, name))), ...rows),
      el("p", { class: "quiet" }, `${ranked.length} losses${zeros ? `, ${zeros} more give 0` : ""}; shares of the sum of their norms, ${number(total)}.`));
  }

  function draw() {
    const { place } = state;
    section.hidden = !place.shares;
    if (!place.shares) return;
    const { steps, shape } = place.shares, v = unpackOnce(place.shares), width = shape[1], time = data.axes[place.axis], outputs = data.axes[data.outputAxis];
    const above = v.filter((x) => x > 0), least = above.reduce((a, b) => Math.min(a, b), Infinity), most = above.reduce((a, b) => Math.max(a, b), 0);
    if (!most) { heat.replaceChildren(el("p", { class: "quiet" }, "All gradients are zero.")); plane = null; return; }
    const low = Math.max(least, most * 1e-12), map = colours(low, most, true), cut = above.filter((x) => x < low).length;
    const canvas = el("canvas", { role: "img" }), scale = el("span", { class: "scale" }), t = el("div", { class: "t" }), readout = el("output", { "aria-live": "off" });
    let from = 0, to = 1;
    const toStep = (x) => { const box = canvas.getBoundingClientRect(); return from + ((x - box.left) / box.width) * (to - from); };
    const area = el("div", { class: "plane over-time", tabindex: 0, role: "group", "aria-label": "Gradient of each loss at each step: arrow keys select a step, plus and minus zoom",
      onmousemove: (event) => { const box = canvas.getBoundingClientRect(), row = within(Math.floor(((event.clientY - box.top) / box.height) * steps.length), 0, steps.length - 1), at = within(Math.floor(toStep(event.clientX)), 0, width - 1);
        readout.textContent = `loss of step ${outputs.first + steps[row]} at step ${time.first + at}: ${number(v[row * width + at])}`; } }, canvas, t);
    followTime(area, state, () => place.axis, { toStep });
    drawScale(scale, map, "");
    if (cut) scale.append(el("span", { class: "clipped" }, `${counted(cut, "value")} below ${number(low)}, down to ${number(least)}, in the lowest colour`));
    heat.replaceChildren(el("figure", {}, el("figcaption", {}, el("b", {}, "losses, from the first at the top, × steps"), readout), area, scale));
    plane = {
      draw() {
        ({ from, to } = state.window(place.axis));
        const columns = Math.min(to - from, COLUMNS), empty = theme() === "dark" ? [32, 35, 42] : [240, 241, 239];
        canvas.width = columns;
        canvas.height = steps.length;
        const pen = canvas.getContext("2d"), image = pen.createImageData(columns, steps.length);
        steps.forEach((_, row) => {
          for (let c = 0; c < columns; c++) {
            const value = v[row * width + from + Math.floor((c * (to - from)) / columns)];
            image.data.set([...(value > 0 ? map.of(value) : empty), 255], 4 * (row * columns + c));
          }
        });
        pen.putImageData(image, 0, 0);
        canvas.setAttribute("aria-label", `Norms of the gradients of ${steps.length} losses at steps ${time.first + from} to ${time.first + to - 1}, from ${number(least)} to ${number(most)}; empty where a loss does not depend on a step`);
        this.move();
      },
      move() {
        const step = state.stepOf(place.axis);
        t.hidden = step < from || step >= to;
        Object.assign(t.style, { left: `${(100 * (step - from)) / (to - from)}%`, width: `${100 / (to - from)}%` });
      },
    };
    plane.draw();
  }
  state.on(["place", "theme"], draw);
  state.on(["window"], () => plane?.draw());
  state.on(["step"], () => plane?.move());
  state.on(["step", "place", "theme"], drawBars);
}
