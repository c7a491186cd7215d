// Moving in time over anything drawn over it: a click, a drag, the wheel, two fingers, keys.
function zoom(state, axis, factor, about) {
  const { from, to } = state.window(axis), part = within((about - from) / (to - from), 0, 1), size = Math.max(LEAST_WINDOW, (to - from) * factor);
  const start = from + part * (to - from - size);
  state.choose({ axis, window: { from: Math.max(0, start), to: Math.max(0, start) + size } });
}
function pan(state, axis, by) {
  const { from, to } = state.window(axis), move = Math.sign(by) * Math.max(1, Math.round(Math.abs(by)));
  state.choose({ axis, window: { from: from + move, to: to + move } });
}
function zoomKeys(state, axis, event) {
  const { from, to } = state.window(axis), step = state.stepOf(axis), about = step >= from && step < to ? step + 0.5 : (from + to) / 2;
  const act = { "+": () => zoom(state, axis, 0.5, about), "=": () => zoom(state, axis, 0.5, about), "-": () => zoom(state, axis, 2, about),
    0: () => state.choose({ axis, window: { from: 0, to: Infinity } }) }[event.key];
  if (!act || event.altKey || event.ctrlKey || event.metaKey) return false;
  event.preventDefault();
  act();
  return true;
}

// toStep: from the pointer's x to a step, whole or not; onpick(event, step): a click, else the step is chosen.
// wheel: "always", or only with Ctrl or while the area has the focus, so that the page can be scrolled.
function followTime(area, state, getAxis, { toStep, onpick, wheel = "focus" }) {
  const pointers = new Map();
  let began = null, moved = false, apart = 0;
  area.style.touchAction = "pan-y";
  const clamped = (x) => within(Math.floor(toStep(x)), 0, state.lengths[getAxis()] - 1);
  area.addEventListener("wheel", (event) => {
    const axis = getAxis(), { from, to } = state.window(axis), sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (!sideways && !event.ctrlKey && !event.metaKey && wheel !== "always" && !area.contains(document.activeElement)) return;
    event.preventDefault();
    const by = sideways && !event.deltaX ? event.deltaY : event.deltaX;
    if (sideways) pan(state, axis, (by / 400) * (to - from));
    else zoom(state, axis, 2 ** within(event.deltaY / 200, -2, 2), toStep(event.clientX));
  }, { passive: false });
  area.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    pointers.set(event.pointerId, event.clientX);
    if (pointers.size === 1) { began = clamped(event.clientX); moved = false; }
    else { began = null; const [a, b] = [...pointers.values()]; apart = Math.max(1, Math.abs(a - b)); }
  });
  area.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const before = pointers.get(event.pointerId), axis = getAxis();
    pointers.set(event.pointerId, event.clientX);
    if (pointers.size === 2) {
      const [a, b] = [...pointers.values()], now = Math.max(1, Math.abs(a - b)), middle = (a + b) / 2;
      zoom(state, axis, apart / now, toStep(middle));
      pan2(axis, toStep(before) - toStep(event.clientX));
      apart = now;
    } else if (began !== null) {
      const here = clamped(event.clientX);
      if (here !== began) { if (!moved && event.pointerType === "mouse") area.setPointerCapture(event.pointerId); moved = true; }
      if (moved) chooseSpan(state, axis, began, here);
    }
  });
  const pan2 = (axis, by) => { if (Math.abs(by) >= 1) pan(state, axis, by / 2); };
  const end = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (event.type === "pointerup" && began !== null && !moved) onpick ? onpick(event, began) : state.choose({ axis: getAxis(), step: began });
    began = null;
  };
  area.addEventListener("pointerup", end);
  area.addEventListener("pointercancel", end);
  area.addEventListener("keydown", (event) => zoomKeys(state, getAxis(), event));
}

// A span of steps chosen by hand, from one step to another, both in it; the second is the selected step.
function chooseSpan(state, axis, anchor, to) {
  state.choose({ axis, step: to, span: { axis, anchor, start: Math.min(anchor, to), stop: Math.max(anchor, to) + 1 } });
}
function extendSpan(state, axis, by) {
  const step = state.stepOf(axis), anchor = state.span?.axis === axis ? state.span.anchor : step;
  chooseSpan(state, axis, anchor, within(step + by, 0, state.lengths[axis] - 1));
}
