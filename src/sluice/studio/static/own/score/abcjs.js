/** The library that draws scores, fetched once, when the first is drawn. */

/** @type {Promise<any> | undefined} */
let loading;

/** @returns {Promise<any>} abcjs's object of functions */
export function loadAbcjs() {
  loading ??= new Promise((resolve, reject) => {
    const page = /** @type {any} */ (window);
    if (page.ABCJS) return resolve(page.ABCJS);
    const address = new URL("../../vendor/abcjs-basic-6.7.2.min.js", import.meta.url).href;
    const known = /** @type {HTMLScriptElement | null} */ (
      document.querySelector(`script[src="${new URL(address).pathname}"]`)
    );
    const script = known ?? document.createElement("script");
    script.addEventListener("load", () => resolve(page.ABCJS));
    script.addEventListener("error", () => reject(new Error(address)));
    if (!known) {
      script.src = address;
      document.head.append(script);
    }
  });
  return loading;
}
