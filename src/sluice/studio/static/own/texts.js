/**
 * The page's own words, so that modules speak its language.
 *
 * They stand in `<script type="application/json" data-texts>` blocks, each an object of strings in
 * which `{name}` is filled in.
 */

/** @type {Map<string, string> | undefined} */
let known;

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string} the page's words, or the key where it has none
 */
export function text(key, values = {}) {
  if (!known) known = readTexts();
  const found = known.get(key) ?? key;
  return found.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** @returns {Map<string, string>} */
function readTexts() {
  const all = new Map();
  for (const block of document.querySelectorAll("script[data-texts]")) {
    for (const [key, value] of Object.entries(JSON.parse(block.textContent || "{}"))) {
      all.set(key, String(value));
    }
  }
  return all;
}
