const pages = globalThis.WebAssembly && new WebAssembly.Memory({ initial: $PAGES });
const memory = pages?.buffer ?? new ArrayBuffer($PAGES * 65536);
const wasm = openKernels("$BYTES");

/** The matrix products with SIMD; null where an engine lacks it. */
function openKernels(text) {
  try {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory: pages } }).exports;
  } catch {
    return null;
  }
}
