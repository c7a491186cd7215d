// Themes, and the first drawing.
await inflateAll(DATA);
const byId = (id) => document.getElementById(id), shared = createShared(DATA.axes), dark = matchMedia("(prefers-color-scheme: dark)");
const models = [DATA, ...(DATA.beside ? [DATA.beside] : [])].map((data, k) => {
  const root = byId("model").content.cloneNode(true).firstElementChild;
  // Ids stand once in a page.
  part(root, "units").innerHTML = k ? DATA.figures.text.replaceAll(/(id="|href="#|url\(#)/g, `$1m${k}-`) : DATA.figures.text;
  return { root, data, state: createState(shared, data) };
});

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = name === "dark" ? "Light" : "Dark";
  shared.choose({ theme: name });
}
setTheme(dark.matches ? "dark" : "light");
dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
byId("theme").addEventListener("click", () => setTheme(theme() === "dark" ? "light" : "dark"));
let themeBeforePrint;
addEventListener("beforeprint", () => { themeBeforePrint = theme(); setTheme("light"); });
addEventListener("afterprint", () => setTheme(themeBeforePrint));

byId("models").replaceChildren(...models.map(({ root }) => root));
models.forEach(({ root, data, state }) => mountModel(root, data, state));
byId("models").classList.toggle("two", models.length === 2);
if (models.length === 1) byId("scrubber").append(part(models[0].root, "choice"));
else mountSwitch(byId("scrubber"), models);
mountScrubber(byId("scrubber"), models, shared);
models.forEach(({ data, state }) => chooseFirst(data, state));
if (models.length === 2) mountDifference(byId("difference"), models, shared);
mountSaid(byId("said"), models, shared);
shared.start();
document.documentElement.dataset.ready = "";
