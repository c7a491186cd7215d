"""A layer or a language model as the text of a JavaScript module."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import torch

from sluice._version import __version__
from sluice.export.errors import ExportError
from sluice.export.network_writer import NetworkWriter
from sluice.export.to_js.operations import FUNCTIONS, PRODUCTS, list_functions, list_products
from sluice.export.to_js.source import JsSource
from sluice.export.to_js.wasm import can_compile, compile_kernels
from sluice.nn.stack import RecurrentStack
from sluice.sequence import Vocabulary
from sluice.sequence.data.readers.tokenizers import WORD_PATTERN
from sluice.sequence.generation.text_codec import TextCodec
from sluice.sequence.models import LanguageModel


@dataclass(frozen=True)
class JsProgram:
    """The text of a module: its code, and its weights as base64.

    Attributes:
        code: All but the weights.
        weights: The constants in base64.
        input_size: The width of the input; of a model how many tokens there are.
        output_size: The width of the output.
        inputs: The widths of further inputs by name.
    """

    code: str
    weights: str
    input_size: int
    output_size: int
    inputs: dict[str, int]

    @property
    def text(self) -> str:
        """The whole module."""
        return f'{self.code}\nload("{self.weights}");\n'


def write_program(
    module: RecurrentStack | LanguageModel,
    name: str,
    *,
    int8: bool = False,
    vocabulary: Vocabulary | None = None,
    wasm: bool | None = None,
) -> JsProgram:
    """A stack of layers, with an embedding and a readout where a model has them.

    ``wasm`` adds the matrix products in WebAssembly; None where they can be compiled.

    Raises:
        ExportError: what `NetworkWriter` refuses; a vocabulary of another size, or of subwords.
    """
    source = JsSource()
    network = NetworkWriter(module, source, int8)
    states = network.list_states()
    for state, initial in states:
        source.reserve_state(state, len(initial))
    is_model = isinstance(module, LanguageModel)
    if not is_model:
        source.reserve_input("input", network.input_size)
    for one, width in network.inputs.items():
        source.reserve_input(f"input_{one}", width)
    output_size = network.write()
    initial = torch.cat([initial for _, initial in states])
    start = source.array(initial) if bool(initial.any()) else ""
    parts = [
        _write_head(network, name, output_size, is_model),
        _write_memory(source, can_compile() if wasm is None else wasm),
        _write_interface(network, source, start, is_model),
    ]
    text = "\n".join(source.lines)
    parts += [FUNCTIONS[one] for one in list_functions(text)]
    parts += [PRODUCTS[one] for one in list_products(text)]
    if is_model:
        parts.append(_read("sampling.js"))
    if vocabulary is not None:
        if len(vocabulary) != network.input_size:
            raise ExportError(
                f"the vocabulary has {len(vocabulary)} tokens, not {network.input_size} as the "
                "model"
            )
        parts.append(_write_vocabulary(vocabulary))
    weights = base64.b64encode(source.constants).decode()
    return JsProgram("\n".join(parts), weights, network.input_size, output_size, network.inputs)


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text()


def _write_head(network: NetworkWriter, name: str, output_size: int, is_model: bool) -> str:
    given = "token" if is_model else ", ".join(["input", *(f"input_{o}" for o in network.inputs)])
    return f"""\
// {name}: a network of {network.cell_name}, written by sluice {__version__}.
//
//   import {{ createState, reset, step }} from "./{name}.js";
//   const state = createState();          // of a sequence; reset(state) begins another one
//   const output = step(state, {given}); // for every step
export const inputSize = {network.input_size}, outputSize = {output_size};
"""


def _write_memory(source: JsSource, has_wasm: bool) -> str:
    constants = len(source.constants)
    size = constants + 4 * source.work_size
    text = "\n".join(source.lines)
    memory = f"const memory = new ArrayBuffer({size});\n"
    if has_wasm:
        memory = _read("wasm.js").replace("$PAGES", str(-(-size // 65536)))
        memory = memory.replace("$BYTES", base64.b64encode(compile_kernels()).decode())
    for name, plain in list_products(text).items():
        memory += f"const {name} = {f'wasm?.{name} ?? ' if has_wasm else ''}{plain};\n"
    return f"""\
const w = {constants // 4}; // behind the constants: the state, then all that a step computes
{memory}\
export const hasSimd = {"wasm !== null" if has_wasm else "false"};
const m = new Float32Array(memory), q = new Int8Array(memory);

function load(weights) {{
  const bytes = atob(weights);
  for (let i = 0; i < bytes.length; i++) q[i] = bytes.charCodeAt(i);
}}

function check(array, size, name) {{
  if (array?.length === size) return;
  throw new RangeError(`${{name}} must be ${{size}} numbers, got ${{array?.length}}`);
}}
"""


def _write_interface(network: NetworkWriter, source: JsSource, start: str, is_model: bool) -> str:
    size = source.state_size
    begin = f"state.set(m.subarray({start}, {start} + {size}))" if start else "state.fill(0)"
    checks = [f'  check(state, {size}, "state");']
    loads = ["  m.set(state, w);"]
    if is_model:
        checks.append(
            "  if (!(Number.isInteger(token) && token >= 0 && token < inputSize)) {\n"
            "    throw new RangeError(`token must be an id below ${inputSize}, got ${token}`);\n"
            "  }"
        )
    for name, (place, width) in source.inputs.items():
        checks.append(f'  check({name}, {width}, "{name}");')
        loads.append(f"  m.set({name}, {place});")
    checks.append('  check(output, outputSize, "output");')
    given = ", ".join(["token"] if is_model else source.inputs)
    lines = "\n".join(line[2:] for line in source.lines)
    return f"""\
export const createState = () => reset(new Float32Array({size}));

export function reset(state) {{
  check(state, {size}, "state");
  {begin};
  return state;
}}

export function step(state, {given}, output = new Float32Array(outputSize)) {{
{chr(10).join(checks)}
{chr(10).join(loads)}
  let i;
{lines}
  state.set(m.subarray(w, w + {size}));
  output.set(m.subarray({source.output}, {source.output} + outputSize));
  return output;
}}
"""


def _write_vocabulary(vocabulary: Vocabulary) -> str:
    codec = TextCodec(vocabulary)
    separator, split = codec.separator, "Array.from"
    if vocabulary.tokenizer:
        if not _splits_words(vocabulary):
            raise ExportError("JavaScript lacks this tokenizer; it has characters and words alone")
        separator, split = " ", f"(text) => text.match({_WORD}) ?? []"
    elif separator:
        split = "(text) => text.split(/\\s+/).filter(Boolean)"
    tokens = json.dumps(vocabulary.tokens, ensure_ascii=False).replace("<", "\\u003c")
    return f"""\
const tokens = {tokens};
const separator = {json.dumps(separator)};
const split = {split};
{_read("text.js")}"""


_WORD = r"/\n|[\p{L}\p{M}\p{N}\p{Pc}]+|[^\p{L}\p{M}\p{N}\p{Pc}\s]+/gu"
"""As `sluice train --tokenize words` splits a text."""


def _splits_words(vocabulary: Vocabulary) -> bool:
    """Whether the tokenizer is that of `sluice train --tokenize words`."""
    known = json.loads(vocabulary.tokenizer)
    pattern = (known.get("pre_tokenizer") or {}).get("pattern") or {}
    is_level = (known.get("model") or {}).get("type") == "WordLevel"
    extras = any(known.get(part) for part in ("normalizer", "post_processor", "decoder"))
    return is_level and pattern.get("Regex") == WORD_PATTERN and not extras
