// How long units remember, how often gates are shut or open, how far back inputs matter.
function drawMemory() {
  const memory = state.place.memory, charts = [];
  const add = (draw) => { const host = el("div", { class: "chart" }); charts.push(host); draw(host); };
  if (memory.timescales) add((host) => {
    const sorted = memory.timescales.map((tau, unit) => ({ unit, tau: tau ?? 1e6 })).sort((a, b) => a.tau - b.tau);
    const least = 10 ** Math.floor(Math.log10(Math.max(1e-2, sorted[0].tau))), most = 10 ** Math.ceil(Math.log10(sorted.at(-1).tau) + 1e-9);
    cloud(host, "Timescale of each unit", sorted.map((p, k) => ({ unit: p.unit, x: k + 1, y: Math.max(least, p.tau), said: `${number(p.tau)} steps` })),
      { from: 1, to: Math.max(2, sorted.length), label: "units, the fastest first" }, { from: least, to: Math.max(most, 10 * least), log: true, label: "steps" },
      "τ = −1 / ln f̄: after so many steps a unit has forgotten to 1/e, f̄ being its gate's mean (Tallec & Ollivier 2018; Mahto et al. 2021).");
  });
  for (const [name, gate] of Object.entries(memory.gates)) add((host) => {
    const points = gate.low.map((low, unit) => ({ unit, x: low, y: gate.high[unit], said: `shut ${number(low)}, open ${number(gate.high[unit])} of the time` }));
    cloud(host, `Saturation of ${name}`, points, { from: 0, to: 1, label: "share of time below 0.1: shut" }, { from: 0, to: 1, label: "share of time above 0.9: open" },
      "A unit is a dot. Near the corner at 0 the gate is seldom fully shut or open; at the top it only lets through, at the right it only blocks (Karpathy, Johnson & Fei-Fei 2015).");
  });
  if (DATA.influence) add((host) => {
    const series = Object.entries(DATA.influence.reach).map(([share, lags]) => {
      const v = Array(STEPS).fill(null);
      DATA.influence.steps.forEach((step, k) => v.fill(lags[k], step, DATA.influence.steps[k + 1]));
      return { name: `at least ${share} of the largest influence`, v, whole: true };
    });
    lineChart(host, "How many steps back an input still matters", series,
      { y: "For each prediction the greatest lag at which an input still has that share of the largest influence on its logit (effective context, after Khandelwal et al. 2018, by gradients)." });
  });
  byId("memory").replaceChildren(...charts);
  byId("s-memory").hidden = !charts.length;
}
const moveMemory = () => [...byId("memory").children].forEach((chart) => chart.follow?.());
