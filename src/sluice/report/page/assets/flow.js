// Gradient flow: norms at every step, on a logarithmic axis.
function mountFlow(root, data, state) {
  const single = !data.losses; // one loss a sequence
  const note = (path) => (single ? "Gradients of the loss" : "Left: gradients of the last shown loss") + " with respect to the states at earlier steps. A line that falls towards the first step is a vanishing gradient (Hochreiter 1991; Bengio, Simard & Frasconi 1994)." +
    (path ? " ∏ forget is the direct path of the state: the product of all later values of its forget gate, averaged over units. This path runs through no matrix (Hochreiter & Schmidhuber 1997; Gers et al. 2000)." : "") +
    (single ? "" : " Right: gradients of the losses of all shown steps. These lines stay high wherever losses are near.");
  state.on(["place"], () => {
    const { flow } = state.place;
    part(root, "s-flow").hidden = !flow;
    if (!flow) return;
    const kinds = single ? [["last", "Gradients of the loss"]] : [["last", "Gradients of the last loss"], ["every", "Gradients of all losses"]];
    part(root, "flow").replaceChildren(...kinds.map(([which, title]) => {
      const series = Object.entries(flow[which]).map(([name, v]) => ({ name: `‖∂L/∂${bare(state.place.values[name].symbol)}‖`, v }));
      if (which === "last" && flow.path) series.push({ name: "mean ∏ forget", v: flow.path });
      const chart = el("div", { class: "chart" });
      lineChart(chart, data, state, { title, series, log: true });
      return chart;
    }));
    part(root, "note-flow").textContent = note(flow.path);
  });
}
