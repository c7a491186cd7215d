/**
 * The service worker of tunebooks: keeps visited books, with the scripts, styles and sounds that
 * they need, for when there is no connection. It sees requests of pages below /books/ only.
 *
 * Pages come from the network whenever it answers. What it refuses is no longer kept: a book that
 * was deleted or made private is gone here too. Static files never change under their address.
 */

const PAGES = "book-pages";
const FILES = "book-files";
const OFFLINE = "/books/offline";
const KEPT_PAGE = /^\/books\/\d+(\/print)?$/;

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

worker.addEventListener("install", (event) => {
  void worker.skipWaiting();
  event.waitUntil(caches.open(PAGES).then((pages) => pages.add(OFFLINE)));
});

worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("message", (event) => {
  const { page, files } = event.data ?? {};
  if (typeof page !== "string" || !Array.isArray(files)) return;
  event.waitUntil(keep(page, files).then(() => event.source?.postMessage("kept")));
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/static/")) event.respondWith(answerFile(request));
  else if (request.mode === "navigate" && url.pathname.startsWith("/books/")) {
    event.respondWith(answerPage(request, url.pathname));
  }
});

/** @param {Request} request */
async function answerFile(request) {
  const files = await caches.open(FILES);
  const kept = await files.match(request.url);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.status === 200) await files.put(request.url, answer.clone());
  return answer;
}

/**
 * @param {Request} request
 * @param {string} path
 */
async function answerPage(request, path) {
  const pages = await caches.open(PAGES);
  try {
    const answer = await fetch(request);
    if (KEPT_PAGE.test(path)) {
      if (answer.status === 200 && !answer.redirected) await pages.put(path, answer.clone());
      else if (answer.status < 500) await pages.delete(path);
    }
    return answer;
  } catch {
    return (await pages.match(path)) ?? (await pages.match(OFFLINE)) ?? Response.error();
  }
}

/**
 * @param {string} page
 * @param {string[]} addresses
 */
async function keep(page, addresses) {
  const pages = await caches.open(PAGES);
  if (KEPT_PAGE.test(page)) {
    for (const path of [page, `${page}/print`]) {
      const answer = await fetch(path, { redirect: "manual" }).catch(() => null);
      if (answer?.status === 200) await pages.put(path, answer);
    }
  }
  const files = await caches.open(FILES);
  for (const address of addresses) {
    if (!(await files.match(address))) await files.add(address);
  }
  await forgetOldFiles(pages, files);
}

/**
 * Files of versions of the site that no kept page uses any more.
 *
 * @param {Cache} pages
 * @param {Cache} files
 */
async function forgetOldFiles(pages, files) {
  const used = new Set();
  for (const request of await pages.keys()) {
    const text = (await (await pages.match(request))?.text()) ?? "";
    for (const [, version] of text.matchAll(/\/static\/([0-9a-f]+)\//g)) used.add(version);
  }
  for (const request of await files.keys()) {
    const version = new URL(request.url).pathname.split("/")[2];
    if (!used.has(version)) await files.delete(request);
  }
}
