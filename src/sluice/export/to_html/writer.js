{
  const find = (id) => document.getElementById(id);
  const form = find("form"), status = find("status"), shown = find("text");
  const given = Object.assign(document.createElement("span"), { className: "given" });
  const written = document.createElement("span");
  const SLICE = 12; // milliseconds of writing between two pictures
  let run = 0; // the number of the latest text; an earlier one stops

  const say = (sentence, isProblem = false) => {
    status.textContent = sentence;
    status.classList.toggle("is-problem", isProblem);
  };
  const setRunning = (is) => {
    find("stop").disabled = !is;
    shown.setAttribute("aria-busy", String(is));
  };

  const readNumber = (id, name, least, isWhole) => {
    const value = Number(find(id).value || NaN);
    if (value >= least && (!isWhole || Number.isSafeInteger(value))) return value;
    const kind = isWhole ? "a whole number of" : "a number,";
    throw new RangeError(`${name} must be ${kind} at least ${least}`);
  };

  const readForm = () => ({
    prompt: encode(find("prompt").value),
    temperature: readNumber("temperature", "the temperature", 0.05),
    seed: readNumber("seed", "the seed", 0, true),
    length: readNumber("length", "the number of tokens", 1, true),
  });

  async function write() {
    const own = ++run;
    let options;
    try {
      options = readForm();
    } catch (error) {
      setRunning(false);
      return say(`${error.message[0].toUpperCase()}${error.message.slice(1)}.`, true);
    }
    const ids = [...options.prompt], before = decode(ids);
    given.textContent = before;
    written.textContent = "";
    shown.replaceChildren(given, written);
    say("Writing …");
    setRunning(true);
    const start = performance.now(), tokens = generate(options);
    let isDone = false;
    while (!isDone && own === run) {
      const end = performance.now() + SLICE;
      while (!isDone && performance.now() < end) {
        const { done, value } = tokens.next();
        if (done) isDone = true;
        else ids.push(value);
      }
      written.textContent = decode(ids).slice(before.length);
      await new Promise((resolve) => setTimeout(resolve));
    }
    if (own !== run) return;
    setRunning(false);
    const count = ids.length - options.prompt.length;
    const rate = Math.round((1000 * count) / (performance.now() - start));
    say(`${count} tokens, ${rate} a second.`);
  }

  const stop = () => {
    if (find("stop").disabled) return;
    run++;
    setRunning(false);
    say("Stopped.");
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    write();
  });
  find("another").addEventListener("click", () => {
    find("seed").value = Number(find("seed").value) + 1;
    write();
  });
  find("stop").addEventListener("click", stop);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stop();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) write();
  });
}
