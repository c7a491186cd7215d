// What a screen reader hears when the scrubber comes to rest: the facts of the step.
function mountSaid(host, models, shared) {
  let timer;
  const describe = ({ data, state }) => {
    const { place, unit } = state, step = state.stepOf(place.axis), words = [data.about ? `${data.about.name}:` : ""];
    const gates = Object.keys(place.values).map((name) => [name, valueAt(place, name, unit, step)]).filter(([, v]) => v !== undefined);
    words.push(`unit ${unit} of ${place.name}: ${gates.map(([name, v]) => `${name} ${number(v)}`).join(", ")}.`);
    const at = shared.stepOf(data.outputAxis);
    if (data.losses && data.losses[at] !== null) words.push(`Loss ${number(data.losses[at])} ${data.lossUnit ?? ""}.`);
    const best = data.predictions?.kind === "classes" ? data.predictions.best[Math.min(at, data.predictions.best.length - 1)]?.[0] : undefined;
    if (best !== undefined) words.push(`Most likely ${shown(data.predictions.names[best])}.`);
    return words.join(" ").trim();
  };
  let started = false;
  shared.on(["step", "place", "span"], () => {
    if (!started) { started = true; return; }
    clearTimeout(timer);
    timer = setTimeout(() => {
      const { data } = models[0], span = shared.span, axis = span ? span.axis : shared.axis, { first } = data.axes[axis];
      const where = span ? `Steps ${first + span.start} to ${first + span.stop - 1} chosen.` : `${stepName(data, shared.axis, shared.stepOf(shared.axis))}.`;
      host.textContent = `${where[0].toUpperCase()}${where.slice(1)} ${models.map(describe).join(" ")}`;
    }, 350);
  });
}
