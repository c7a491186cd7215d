/** Server-sent events in the answer to any request; the browser itself reads them from GET alone. */

/** @typedef {{kind: string, number: number, data: string}} StreamEvent */

/**
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<StreamEvent>}
 */
export async function* readEvents(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = parse(block);
        if (event) yield event;
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

/**
 * @param {string} block
 * @returns {StreamEvent | null} null for a sign of life
 */
function parse(block) {
  const fields = new Map(block.split("\n").map((line) => {
    const place = line.indexOf(": ");
    return /** @type {[string, string]} */ ([line.slice(0, place), line.slice(place + 2)]);
  }));
  const kind = fields.get("event");
  const data = fields.get("data");
  if (kind === undefined || data === undefined) return null;
  return { kind, number: Number(fields.get("id") ?? 0), data };
}
