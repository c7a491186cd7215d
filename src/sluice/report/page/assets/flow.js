// How far gradients reach: norms at every step, on a logarithmic axis.
function drawFlow() {
  const flow = state.place.flow;
  byId("s-flow").hidden = !flow;
  if (!flow) return;
  const charts = [];
  const single = !DATA.losses; // one loss a sequence
  for (const [which, title] of single ? [["last", "Of the loss"]] : [["last", "Of the last loss alone"], ["every", "Of all losses together"]]) {
    const series = Object.entries(flow[which]).map(([name, v]) => ({ name: `‖∂L/∂${bare(state.place.values[name].symbol)}‖`, v }));
    if (which === "last" && flow.path) series.push({ name: "mean ∏ forget", v: flow.path });
    const host = el("div", { class: "chart" });
    charts.push(host);
    lineChart(host, title, series, { log: true });
  }
  byId("flow").replaceChildren(...charts);
  byId("note-flow").textContent = (single ? "The loss" : "Left: the last shown loss") + " looks back. A line that falls towards the first step is a vanishing gradient (Hochreiter 1991; Bengio, Simard & Frasconi 1994); each power of ten is a factor of ten less to learn from." +
    (flow.path ? " ∏ forget is the straight path of the state, the product of all later values of the gate that keeps it, averaged over units: the part that runs through no matrix (Hochreiter & Schmidhuber 1997; Gers et al. 2000)." : "") +
    (single ? "" : " Right: the loss of every shown step counts, so the lines stay up as long as there are losses near by.");
}
const moveFlow = () => [...byId("flow").children, ...byId("trace").children].forEach((chart) => chart.follow?.());
