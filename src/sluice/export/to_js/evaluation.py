"""The loss of a language model's module on data, in node."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import torch

from sluice.export.errors import ExportError
from sluice.export.to_js.engine import find_node, open_module, run_node
from sluice.sequence import Batch

_DRIVER = """\
import { readFileSync, writeSync } from "node:fs";
import * as net from "./net.mjs";

const [lengths] = process.argv.slice(2).map((list) => JSON.parse(list));
const bytes = readFileSync(0);
const ids = new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
const state = net.createState(), logits = new Float32Array(net.outputSize);
let place = 0, total = 0, items = 0;
for (const length of lengths) {
  net.reset(state);
  for (let time = 0; time < length; time++, place += 2) {
    net.step(state, ids[place], logits);
    const target = ids[place + 1];
    if (target === 0) continue; // padding
    const largest = logits.reduce((a, b) => Math.max(a, b));
    const sum = logits.reduce((found, logit) => found + Math.exp(logit - largest), 0);
    total += Math.log(sum) + largest - logits[target];
    items++;
  }
}
writeSync(1, Buffer.from(new Float64Array([total, items]).buffer));
"""


def measure_loss(text: str, batches: Iterable[Batch]) -> float:
    """The cross-entropy of a module that `sluice.export.js` wrote.

    Args:
        text: the module.
        batches: tokens and the targets after each; every sequence starts anew.

    Returns:
        The mean over all targets but padding, in nats.

    Raises:
        ExportError: there is no node, or it cannot run the module.
    """
    node = find_node()
    if node is None:
        raise ExportError("the loss is measured in node, which is not installed")
    columns = [
        torch.stack(pair, 1)
        for batch in batches
        for pair in zip(batch.inputs.T, batch.targets.T, strict=True)
    ]
    sent = torch.cat(columns).int().numpy().tobytes()
    with open_module(text) as folder:
        (folder / "driver.mjs").write_text(_DRIVER)
        said = run_node(node, folder, sent, [len(one) for one in columns])
    total, items = struct.unpack("<2d", said)
    return float(total / items)
