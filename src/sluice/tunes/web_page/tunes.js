{
  const find = (id) => document.getElementById(id);
  const status = find("status"), score = find("score"), play = find("play");
  const SLICE = 12; // milliseconds of composing between two pictures
  const MODES = { maj: "major", min: "minor", dor: "Dorian", mix: "Mixolydian", lyd: "Lydian", phr: "Phrygian" };
  let run = 0, tune = null, drawn = null;

  const say = (sentence, isProblem = false) => {
    status.textContent = sentence;
    status.classList.toggle("is-problem", isProblem);
  };
  const player = new Player(sounds, () => (play.textContent = "Play"));
  const fill = (id, values) => {
    for (const [value, name] of values) find(id).append(new Option(name, value));
  };
  fill("dance", Object.keys(table.dances).map((name) => [name, name]));
  fill("mode", Object.keys(table.modes).map((name) => [name, MODES[name] ?? name]));
  fill("tonic", ["C", "D", "Eb", "E", "F", "F#", "G", "A", "Bb", "B"].map((name) => [name, name]));
  find("dances").hidden = !Object.keys(table.dances).length;

  const draw = () => {
    if (!tune) return;
    player.stop();
    const label = `Score: ${tune.title}`;
    drawn = engrave(ABCJS, score, tune.abc, {
      width: score.clientWidth, label, transpose: 0, tablature: "", isGrowing: false,
    });
    for (const part of [score, score.querySelector("svg")]) part?.removeAttribute("style");
    score.setAttribute("aria-label", label);
  };

  const readNumber = (id, name, least, isWhole) => {
    const value = Number(find(id).value || NaN);
    if (value >= least && (!isWhole || Number.isSafeInteger(value))) return value;
    throw new RangeError(`${name} must be ${isWhole ? "a whole number of" : "a number,"} at least ${least}.`);
  };

  async function compose() {
    const own = ++run;
    player.stop();
    let steps;
    try {
      steps = composeTune(table, {
        seed: readNumber("seed", "The seed", 0, true),
        temperature: readNumber("temperature", "The temperature", 0.05),
        dance: find("dance").value, mode: find("mode").value, tonic: find("tonic").value,
      });
    } catch (error) {
      return say(error.message, true);
    }
    play.disabled = true;
    score.setAttribute("aria-busy", "true");
    const start = performance.now();
    let made = { done: false };
    while (!made.done) {
      const end = performance.now() + SLICE;
      while (!made.done && performance.now() < end) made = steps.next();
      if (!made.done) say(`Composing: ${made.value.bars} of ${made.value.of} bars`);
      await new Promise((resolve) => setTimeout(resolve));
      if (own !== run) return undefined;
    }
    tune = made.value;
    const seconds = (performance.now() - start) / 1000;
    score.setAttribute("aria-busy", "false");
    find("abc").textContent = tune.abc;
    draw();
    play.disabled = false;
    const kind = `${tune.dance || "tune"} in ${tune.tonic} ${MODES[tune.mode] ?? tune.mode}`;
    return say(`${tune.title}: ${/^[aeiou]/.test(kind) ? "an" : "a"} ${kind}. ${tune.count} tokens, ${Math.round(tune.count / seconds)} a second.`);
  }

  const toggle = () => {
    if (player.isPlaying) return player.stop();
    if (!drawn || play.disabled) return undefined;
    play.textContent = "Stop";
    return player.play(drawn).catch((error) => {
      player.stop();
      say(`The tune cannot be played: ${error.message}`, true);
    });
  };

  find("form").addEventListener("submit", (event) => {
    event.preventDefault();
    compose();
  });
  find("another").addEventListener("click", () => {
    find("seed").value = Number(find("seed").value) + 1;
    compose();
  });
  play.addEventListener("click", toggle);
  document.addEventListener("keydown", (event) => {
    const isFree = event.target === document.body || event.target === score;
    if (event.key === "Escape") player.stop();
    if (event.key === " " && isFree) {
      event.preventDefault();
      toggle();
    }
  });
  let width = score.clientWidth;
  new ResizeObserver(() => {
    if (Math.abs(score.clientWidth - width) < 8) return;
    width = score.clientWidth;
    draw();
  }).observe(score);
  compose();
}
