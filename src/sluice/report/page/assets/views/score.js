const NARROW = 560;

// The score in the engraving that fits the room: its notes choose steps, and the selected one is marked.
function drawScore(data, state, words) {
  const { view } = data, axis = data.outputAxis, { length } = data.axes[axis];
  const host = el("div", { class: "tunes-score", tabindex: 0, role: "img" }), box = el("rect", { style: "fill:#ffd9a8;fill-opacity:.75;stroke:#b04600;stroke-width:24" });
  let signs = [], written = null;

  function write() {
    const wanted = view.narrowScore?.text && host.clientWidth < NARROW ? view.narrowScore?.text : view.score.text;
    if (wanted === written || !host.clientWidth) return;
    written = wanted;
    host.classList.toggle("narrow", wanted === view.narrowScore?.text);
    host.innerHTML = wanted;
    // Classes of the engraving that the page has for something else.
    for (const one of host.querySelectorAll(".note, .text")) one.classList.remove("note", "text");
    for (const text of host.querySelectorAll("text")) if (text.textContent.trim() === "Untitled") text.remove();
    signs = Object.entries(view.signs).map(([name, [first, stop]]) => ({ first, stop, sign: host.querySelector(`[id="${name}"]`) })).filter(({ sign }) => sign);
    // Two pages may stand beside each other: no identifier twice.
    for (const { sign, first } of signs) {
      sign.removeAttribute("id");
      sign.classList.add(first < 0 || first >= length ? "tunes-beyond" : "tunes-sign");
    }
    host.firstElementChild.setAttribute("aria-hidden", "true"); // the frame has its description
    cutMargins(host.querySelector("svg"));
    show();
  }
  function show() {
    const step = state.stepOf(axis), found = signs.find((one) => one.first <= step && step < one.stop);
    for (const { sign } of signs) sign.classList.toggle("tunes-now", sign === found?.sign);
    host.setAttribute("aria-label", `Score of the tune. ${words()}`);
    box.remove();
    if (!found) return;
    const area = found.sign.getBBox();
    Object.entries({ x: area.x - 90, y: area.y - 90, width: area.width + 180, height: area.height + 180, rx: 90 }).forEach(([name, v]) => box.setAttribute(name, v));
    found.sign.parentNode.insertBefore(box, found.sign);
    const at = found.sign.getBoundingClientRect(), frame = host.getBoundingClientRect();
    if (at.left < frame.left + 10 || at.right > frame.right - 10) host.scrollLeft += at.left - frame.left - frame.width / 3;
    if (at.top < frame.top || at.bottom > frame.bottom) host.scrollTop += at.top - frame.top - frame.height / 3;
  }
  // A note is small and full of gaps: the nearest sign is meant.
  host.addEventListener("click", (event) => {
    const away = ({ sign }) => { const { left, right, top, bottom } = sign.getBoundingClientRect(), dx = Math.max(left - event.clientX, 0, event.clientX - right), dy = Math.max(top - event.clientY, 0, event.clientY - bottom); return dx * dx + dy * dy; };
    const near = signs.filter(({ first }) => first >= 0 && first < length).map((one) => ({ one, far: away(one) })).sort((a, b) => a.far - b.far)[0];
    if (near && near.far < 400) state.choose({ axis, step: near.one.first });
  });
  state.on(["step"], () => { write(); show(); });
  new ResizeObserver(write).observe(host);
  return host;
}

// The picture is a page; its margins, and the room of a title that tokens do not have, are cut off.
function cutMargins(svg) {
  const back = svg.getScreenCTM().inverse(), corners = [...svg.querySelectorAll(".system, .pgHead text, .pgHead path, svg > g > path")].map((part) => part.getBoundingClientRect()).filter(({ width }) => width)
    .flatMap(({ left, right, top, bottom }) => [new DOMPoint(left, top), new DOMPoint(right, bottom)]).map((point) => point.matrixTransform(back));
  if (!corners.length) return;
  // The picture within is as large as the one around it, unless its size is said.
  const whole = svg.viewBox.baseVal, xs = corners.map(({ x }) => x), ys = corners.map(({ y }) => y);
  for (const inner of svg.querySelectorAll("svg")) for (const side of ["width", "height"]) inner.setAttribute(side, whole[side]);
  const [x, y] = [Math.min(...xs) - 14, Math.min(...ys) - 12].map(Math.round), width = Math.ceil(Math.max(...xs) + 14 - x), height = Math.ceil(Math.max(...ys) + 14 - y);
  svg.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
  svg.querySelector("rect")?.remove();
  svg.prepend(el("rect", { x, y, width, height, style: "fill:#fff;stroke:none" }));
}
