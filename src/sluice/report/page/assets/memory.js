// Timescales of units, saturation of gates, and effective context.
function drawMemory() {
  const memory = state.place.memory, charts = [];
  const add = (draw) => { const host = el("div", { class: "chart" }); charts.push(host); draw(host); };
  if (memory.timescales) add((host) => {
    const sorted = memory.timescales.map((tau, unit) => ({ unit, tau: tau ?? 1e6 })).sort((a, b) => a.tau - b.tau);
    const least = 10 ** Math.floor(Math.log10(Math.max(1e-2, sorted[0].tau))), most = 10 ** Math.ceil(Math.log10(sorted.at(-1).tau) + 1e-9);
    cloud(host, "Timescale of each unit", sorted.map((p, k) => ({ unit: p.unit, x: k + 1, y: Math.max(least, p.tau), label: `${number(p.tau)} steps` })),
      { from: 1, to: Math.max(2, sorted.length), label: "units, the fastest first" }, { from: least, to: Math.max(most, 10 * least), log: true, label: "steps" },
      "τ = −1 / ln f̄: after τ steps a unit has decayed to 1/e; f̄ is the mean of its forget gate (Tallec & Ollivier 2018; Mahto et al. 2021).");
  });
  for (const [name, gate] of Object.entries(memory.gates)) add((host) => {
    const points = gate.low.map((low, unit) => ({ unit, x: low, y: gate.high[unit], label: `closed ${number(low)}, open ${number(gate.high[unit])} of the time` }));
    cloud(host, `Saturation of ${name}`, points, { from: 0, to: 1, label: "share of time below 0.1: closed" }, { from: 0, to: 1, label: "share of time above 0.9: open" },
      "Each dot is a unit. Near the origin the gate is rarely fully closed or open; at the top it is always open, at the right always closed (Karpathy, Johnson & Fei-Fei 2015).");
  });
  if (DATA.influence) add((host) => {
    const series = Object.entries(DATA.influence.reach).map(([share, lags]) => {
      const v = Array(STEPS).fill(null);
      DATA.influence.steps.forEach((step, k) => v.fill(lags[k], step, DATA.influence.steps[k + 1]));
      return { name: `at least ${share} of the largest influence`, v, whole: true };
    });
    lineChart(host, "Effective context", series,
      { y: "For each prediction the largest lag at which an input still has that share of the largest influence on its logit (effective context, after Khandelwal et al. 2018, by gradients)." });
  });
  byId("memory").replaceChildren(...charts);
  byId("s-memory").hidden = !charts.length;
}
const moveMemory = () => [...byId("memory").children].forEach((chart) => chart.follow?.());
