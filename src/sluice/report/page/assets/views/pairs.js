// A sequence and what it is mapped to: attention between them, and the gates of the layers that step along each.
function mountPairs(root, data, state) {
  const { view } = data, weights = view.attention && unpack(view.attention), width = view.source.length;
  const attention = weights && { row: (target) => weights.subarray(target * width, (target + 1) * width), column: (source) => Float32Array.from(view.target, (_, target) => weights[target * width + source]) };
  const target = () => state.stepOf(view.targetAxis), source = () => (view.sourceAxis === null ? 0 : state.stepOf(view.sourceAxis));
  const said = el("p", { class: "labels-said", "aria-live": "polite" });
  const words = () => {
    if (!attention) return `step ${target()}: ${shown(view.target[target()])}`;
    const row = Array.from(attention.row(target()), (share, k) => ({ share, k })).sort((a, b) => b.share - a.share).filter(({ share }, k) => k === 0 || (k < 4 && share >= 0.02));
    return `To write “${shown(view.target[target()])}” (step ${data.axes[view.targetAxis].first + target()}) the decoder attends to ${row.map(({ share, k }) => `“${shown(view.source[k])}” ${sayPercent(share)}`).join(", ")}`;
  };
  const gate = gateChoice(data, state);
  const strips = [
    wordStrip(data, state, gate, { title: "Source", which: "encoder", axis: view.sourceAxis, tokens: view.source, shares: () => attention?.row(target()) ?? null, note: attention ? "coloured by the attention of the selected target word" : "" }),
    wordStrip(data, state, gate, { title: "Target", which: "decoder", axis: view.targetAxis, tokens: view.target, shares: () => (attention && view.sourceAxis !== null ? attention.column(source()) : null), note: attention ? "coloured by its attention to the selected source word" : "" }),
  ];
  root.append(el("p", { class: "note" }, "Choose a word of the target or of the source. Below each word stand the gates of the layer that reads there: one row for each unit. ", view.target.length ? "A step of the decoder reads the word before the one that it writes." : ""), gate.bar);
  const main = el("div", {}, ...strips), beside = el("aside", { "data-part": "prediction", class: "prediction" });
  root.append(el("div", { class: "view-beside" }, main, beside));
  if (attention) main.append(el("div", { class: "panel-head" }, el("b", {}, "Attention"), el("span", { class: "quiet" }, "rows: words that are written; columns: words that are read; each row sums to 1")), attentionMap(data, state, attention, words), said);
  else main.append(el("p", { class: "quiet" }, "No attention was found in this model."));
  state.on(["step"], () => { said.textContent = `${words()}.`; });
  mountPrediction(root, data, state);
  delete beside.dataset.part;
}

// Which gate the strips show, and of which layers.
function gateChoice(data) {
  const { view } = data, on = (axis) => data.places.filter((place) => place.axis === axis), acts = [];
  const chosen = {}, labels = [];
  for (const [which, axis] of [["encoder", view.sourceAxis], ["decoder", view.targetAxis]]) {
    const places = axis === null ? [] : on(axis);
    chosen[which] = places[0] ?? null;
    if (places.length < 2) continue;
    const select = el("select", { onchange: () => { chosen[which] = places[+select.value]; acts.forEach((act) => act()); } }, ...places.map((place, k) => el("option", { value: k }, place.name)));
    labels.push(el("label", {}, `${which} `, select));
  }
  const names = [...new Set(Object.values(chosen).filter(Boolean).flatMap((place) => Object.keys(place.values)))];
  const first = Object.values(chosen).find(Boolean), select = el("select", { onchange: () => acts.forEach((act) => act()) }, ...names.map((name) => el("option", { value: name }, name)));
  if (first) select.value = first.keeps ?? first.state;
  const scale = el("span", { class: "scale" }), bar = el("div", { class: "bar" }, el("label", {}, "gate or state ", select), ...labels, scale);
  // One scale for both layers, so that they can be compared.
  const map = () => {
    const ranges = Object.values(chosen).filter((place) => place && select.value in place.values).map((place) => values(place, select.value));
    return colours(Math.min(0, ...ranges.map(({ low }) => low)), Math.max(...ranges.map(({ high }) => high), 1e-9));
  };
  const choice = { bar, name: () => select.value, place: (which) => chosen[which], map, onchange: (act) => acts.push(act) };
  choice.drawScale = () => names.length && drawScale(scale, map(), select.value);
  acts.push(choice.drawScale);
  return choice;
}

// Words side by side; below each a column of the layer's units. Both scroll together where there is no room.
function wordStrip(data, state, gate, { title, which, axis, tokens, shares, note }) {
  const name = el("span", { class: "quiet" }), step = () => (axis === null ? -1 : state.stepOf(axis));
  const words = tokens.map((token, k) => el("span", { class: "pairs-word", "data-step": k, onclick: () => axis !== null && state.choose({ axis, step: k }) }, el("b", {}, shown(token)), el("i", {})));
  const row = el("div", { class: "pairs-words" }, ...words), canvas = el("canvas", { role: "img" }), here = el("div", { class: "pairs-here" });
  const inner = el("div", { class: "pairs-inner" }, row, canvas, here);
  const scroller = el("div", { class: "pairs-strip", tabindex: 0, role: "group", "aria-label": `${title}: words, and the gates of the ${which}` }, inner);

  function paint() {
    const place = gate.place(which), found = place && gate.name() in place.values ? values(place, gate.name()) : null;
    canvas.hidden = !found;
    name.textContent = found ? `${place.name.includes(which) ? "" : `${which} `}${place.name}: ${gate.name()} of ${found.width < place.width ? `${found.width} of its` : "all its"} ${place.width} units` : "";
    if (!found || !row.clientWidth) return;
    const high = Math.max(1, Math.min(4, Math.floor(112 / found.width))), dense = Math.min(2, devicePixelRatio || 1), wide = row.scrollWidth;
    canvas.width = Math.round(wide * dense);
    canvas.height = found.width * high;
    Object.assign(canvas.style, { width: `${wide}px`, height: `${found.width * high}px` });
    const pen = canvas.getContext("2d"), map = gate.map();
    words.forEach((word, t) => {
      for (let unit = 0; unit < found.width; unit++) {
        pen.fillStyle = css(map.of(found.v[t * found.width + unit]));
        pen.fillRect(word.offsetLeft * dense, unit * high, word.offsetWidth * dense, high);
      }
    });
    move();
  }
  function colour() {
    const share = shares(), map = colours(0, 1);
    words.forEach((word, k) => {
      const v = share?.[k] ?? 0, rgb = map.of(v);
      word.style.background = share ? css(rgb) : "";
      word.style.color = share ? readable(rgb) : "";
      word.lastChild.textContent = share ? sayPercent(v) : "";
      word.title = share ? `${shown(tokens[k])}: ${sayPercent(v)}` : shown(tokens[k]);
    });
  }
  function move() {
    words.forEach((word, k) => word.classList.toggle("now", k === step()));
    const word = words[step()], place = gate.place(which);
    here.hidden = !word;
    if (!word) return;
    Object.assign(here.style, { left: `${word.offsetLeft}px`, width: `${word.offsetWidth}px` });
    if (word.offsetLeft < scroller.scrollLeft || word.offsetLeft + word.offsetWidth > scroller.scrollLeft + scroller.clientWidth) scroller.scrollLeft = word.offsetLeft - scroller.clientWidth / 3;
    const mean = place?.values[gate.name()]?.mean[step()];
    canvas.setAttribute("aria-label", `${which}, ${gate.name()} of each unit under each word; at “${shown(tokens[step()])}” its mean is ${number(mean)}`);
  }
  gate.onchange(paint);
  state.on(["step"], () => { colour(); move(); });
  state.on(["theme"], () => { colour(); paint(); gate.drawScale(); });
  new ResizeObserver(paint).observe(row);
  return el("div", {}, el("div", { class: "panel-head" }, el("b", {}, title), name, el("span", { class: "quiet" }, note)), scroller);
}

// The weights as a map: a row for each target word, a column for each source word.
function attentionMap(data, state, attention, words) {
  const { view } = data, rows = view.target.length, columns = view.source.length, host = el("div", { class: "pairs-map over-time", tabindex: 0, role: "group", "aria-label": "Attention map: arrow keys select a step" });
  const canvas = el("canvas", { role: "img" }), font = "13px system-ui, sans-serif", cut = (text) => (text.length > 14 ? `${text.slice(0, 13)}…` : text);
  const sources = view.source.map((token) => cut(shown(token))), targets = view.target.map((token) => cut(shown(token)));
  let cell = 20, left = 60, top = 60;
  host.append(canvas);

  function paint() {
    const pen = canvas.getContext("2d"), style = getComputedStyle(host), room = host.clientWidth, dense = Math.min(2, devicePixelRatio || 1);
    if (!room) return;
    pen.font = `600 ${font}`;
    const longest = (texts) => Math.max(...texts.map((text) => pen.measureText(text).width));
    left = longest(targets) + 14;
    top = longest(sources) * 0.87 + 16;
    cell = within(Math.floor((room - left - 40) / columns), 15, 44);
    const wide = left + columns * cell + 46, tall = top + rows * cell + 2, map = colours(0, 1);
    Object.assign(canvas, { width: Math.round(wide * dense), height: Math.round(tall * dense) });
    Object.assign(canvas.style, { width: `${wide}px`, height: `${tall}px` });
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, wide, tall);
    const ink = style.getPropertyValue("--ink"), mark = style.getPropertyValue("--mark"), page = style.getPropertyValue("--page");
    const now = state.stepOf(view.targetAxis), from = view.sourceAxis === null ? -1 : state.stepOf(view.sourceAxis);
    for (let row = 0; row < rows; row++) attention.row(row).forEach((share, column) => {
      const rgb = map.of(share), x = left + column * cell, y = top + row * cell;
      pen.fillStyle = css(rgb);
      pen.fillRect(x, y, cell - 1, cell - 1);
      if (cell < 30 || share < 0.01) return;
      pen.fillStyle = readable(rgb);
      pen.font = "11px system-ui, sans-serif";
      pen.textAlign = "center";
      pen.fillText(Math.round(100 * share), x + cell / 2 - 0.5, y + cell / 2 + 4);
    });
    targets.forEach((text, row) => {
      pen.fillStyle = row === now ? mark : ink;
      pen.font = row === now ? `600 ${font}` : font;
      pen.textAlign = "right";
      pen.fillText(text, left - 6, top + row * cell + cell / 2 + 4);
    });
    sources.forEach((text, column) => {
      pen.save();
      pen.translate(left + column * cell + cell / 2 + 2, top - 6);
      pen.rotate(-Math.PI / 3);
      pen.fillStyle = column === from ? mark : ink;
      pen.font = column === from ? `600 ${font}` : font;
      pen.textAlign = "left";
      pen.fillText(text, 0, 0);
      pen.restore();
    });
    const frame = (x, y, w, h, colour, thick) => { pen.strokeStyle = colour; pen.lineWidth = thick; pen.strokeRect(x, y, w, h); };
    if (now < rows) for (const [colour, thick] of [[page, 5], [mark, 2.5]]) frame(left - 1.5, top + now * cell - 1.5, columns * cell + 2, cell + 2, colour, thick);
    if (from >= 0 && from < columns) { pen.setLineDash([4, 3]); frame(left + from * cell - 1, top - 1, cell + 1, rows * cell + 1, mark, 1.5); pen.setLineDash([]); }
    canvas.setAttribute("aria-label", `Attention map, ${rows} target words by ${columns} source words. ${words()}`);
  }
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect(), column = Math.floor((event.clientX - box.left - left) / cell), row = Math.floor((event.clientY - box.top - top) / cell);
    if (column >= 0 && column < columns && view.sourceAxis !== null) state.choose({ axis: view.sourceAxis, step: column });
    if (row >= 0 && row < rows) state.choose({ axis: view.targetAxis, step: row });
  });
  state.on(["step", "theme"], paint);
  new ResizeObserver(paint).observe(host);
  return host;
}

VIEWS.pairs = { title: "Source, target and attention", mount: mountPairs, text: false, predictions: false };
