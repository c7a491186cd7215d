// Timescales of units, saturation of gates, and effective context.
function mountMemory(root, data, state) {
  const timescales = (chart, taus) => {
    const sorted = taus.map((tau, unit) => ({ unit, tau })).filter((p) => p.tau !== null).sort((a, b) => a.tau - b.tau), endless = taus.length - sorted.length;
    if (!sorted.length) { chart.append(el("h3", {}, "Timescale of each unit"), el("p", { class: "quiet" }, "No unit decays: every mean of the forget gate is 1.")); return; }
    const shortest = Math.max(sorted[0].tau, 1e-2), cut = sorted.filter((p) => p.tau < shortest).length;
    const least = 10 ** Math.floor(Math.log10(shortest)), most = 10 ** Math.ceil(Math.log10(Math.max(shortest, sorted.at(-1).tau)) + 1e-9);
    cloud(chart, state, "Timescale of each unit", sorted.map((p, k) => ({ unit: p.unit, x: k + 1, y: Math.max(least, p.tau), label: `${number(p.tau)} steps` })),
      { from: 1, to: Math.max(2, sorted.length), label: "units, the fastest first" }, { from: least, to: Math.max(most, 10 * least), log: true, label: "steps" },
      "τ = −1 / ln f̄: after τ steps a unit has decayed to 1/e; f̄ is the mean of its forget gate (Tallec & Ollivier 2018; Mahto et al. 2021)." +
      (cut ? ` ${counted(cut, "unit")} below ${least} steps ${cut === 1 ? "is" : "are"} drawn at ${least}.` : "") + (endless ? ` ${counted(endless, "unit")} that never ${endless === 1 ? "decays is" : "decay are"} not drawn.` : ""));
  };
  const saturation = (chart, name, gate) => cloud(chart, state, `Saturation of ${name}`,
    gate.low.map((low, unit) => ({ unit, x: low, y: gate.high[unit], label: `closed ${number(low)}, open ${number(gate.high[unit])} of the time` })),
    { from: 0, to: 1, label: "share of time below 0.1: closed" }, { from: 0, to: 1, label: "share of time above 0.9: open" },
    "Each dot is a unit. Near the origin the gate is rarely fully closed or open; at the top it is always open, at the right always closed (Karpathy, Johnson & Fei-Fei 2015).");
  const context = (chart) => {
    const { length } = data.axes[data.influence.axis];
    const series = Object.entries(data.influence.reach).map(([share, lags]) => {
      const v = Array(length).fill(null);
      data.influence.steps.forEach((step, k) => v.fill(lags[k], step, data.influence.steps[k + 1]));
      return { name: `at least ${share} of the largest influence`, v, whole: true };
    });
    lineChart(chart, data, state, { title: "Effective context", series, axis: data.influence.axis,
      note: "For each prediction the largest lag at which an input still has that share of the largest influence on its logit (effective context, after Khandelwal et al. 2018, by gradients)." });
  };
  state.on(["place"], () => {
    const { memory } = state.place, charts = [];
    const add = (draw, ...given) => { const chart = el("div", { class: "chart" }); charts.push(chart); draw(chart, ...given); };
    if (memory.timescales) add(timescales, memory.timescales);
    for (const [name, gate] of Object.entries(memory.gates)) add(saturation, name, gate);
    if (data.influence) add(context);
    part(root, "memory").replaceChildren(...charts);
    part(root, "s-memory").hidden = !charts.length;
  });
}
