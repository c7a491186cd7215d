// Gradient flow: norms at every step, on a logarithmic axis.
function drawFlow() {
  const flow = state.place.flow;
  byId("s-flow").hidden = !flow;
  if (!flow) return;
  const charts = [];
  const single = !DATA.losses; // one loss a sequence
  for (const [which, title] of single ? [["last", "Gradients of the loss"]] : [["last", "Gradients of the last loss"], ["every", "Gradients of all losses"]]) {
    const series = Object.entries(flow[which]).map(([name, v]) => ({ name: `‖∂L/∂${bare(state.place.values[name].symbol)}‖`, v }));
    if (which === "last" && flow.path) series.push({ name: "mean ∏ forget", v: flow.path });
    const host = el("div", { class: "chart" });
    charts.push(host);
    lineChart(host, title, series, { log: true });
  }
  byId("flow").replaceChildren(...charts);
  byId("note-flow").textContent = (single ? "Gradients of the loss" : "Left: gradients of the last shown loss") + " with respect to the states at earlier steps. A line that falls towards the first step is a vanishing gradient (Hochreiter 1991; Bengio, Simard & Frasconi 1994)." +
    (flow.path ? " ∏ forget is the direct path of the state: the product of all later values of its forget gate, averaged over units. This path runs through no matrix (Hochreiter & Schmidhuber 1997; Gers et al. 2000)." : "") +
    (single ? "" : " Right: gradients of the losses of all shown steps. These lines stay high wherever losses are near.");
}
const moveFlow = () => [...byId("flow").children, ...byId("trace").children].forEach((chart) => chart.follow?.());
