"""What to draw in each stroke of a cell, in a sentence, in English and in German."""

from __future__ import annotations

from sluice.equations.graph import Affine, Elementwise, Leaf, Node
from sluice.render.sketch.elements import Net, SketchElement
from sluice.render.sketch.placement import Placement
from sluice.render.sketch.words import name_in_words

_STATES = {
    "en": {"c": "cell state", "h": "hidden state"},
    "de": {"c": "Zellzustand", "h": "verborgene Zustand"},
}
_GERMAN_GATES = {
    "Forget-Gate": "Forget-Gate (Vergessensgatter)",
    "Input-Gate": "Input-Gate (Eingangsgatter)",
    "Output-Gate": "Output-Gate (Ausgangsgatter)",
    "Reset-Gate": "Reset-Gate (Rücksetzgatter)",
    "Update-Gate": "Update-Gate (Aktualisierungsgatter)",
}
_DATIVE = {"das Produkt": "dem Produkt", "die Summe": "der Summe", "das Ergebnis": "dem Ergebnis"}
_LONGEST = 24
"""How many letters an expression may have to be written out in a caption."""
_TEXTS = {
    "en": {
        "rail": "The {state}: one line from {before} straight through to {after}.",
        "join": "What comes in, side by side: {values}.",
        "layer": "{name}: a layer with {symbol}, which reads {reads}.",
        "more": "{name}: a layer with {symbol}, which reads {reads} and adds {rest}.",
        "unnamed": "A layer with {symbol}, which reads {reads}.",
        "unnamed more": "A layer with {symbol}, which reads {reads} and adds {rest}.",
        "block": "{name}: a box, which reads {reads}.",
        "gate": " Its values lie between 0 and 1.",
        "norm": " Its maps are normalised first, by the bar of the layer norm below.",
        "rail times": "On the line of {state}: multiply by {rest}.",
        "rail plus": "On the line of {state}: add {rest}.",
        "times": "Multiply {values}.",
        "plus": "Add {values}.",
        "compute": "Compute {values}.",
        "apply": "Apply {symbol} to {values}.",
        "fixed": "{symbol}, the same at every step.",
        "named": " That is {name}.",
        "state": " That is the new {name}, which leaves at the right.",
        "new": "The new {name}",
        "output": "The output layer reads {h}: {y}.",
        "product": "the product",
        "sum": "the sum",
        "result": "the result",
        "and": " and ",
        "some state": "state {symbol}",
    },
    "de": {
        "rail": "Der {state}: eine Linie von {before} gerade durch bis {after}.",
        "join": "Was hereinkommt, aneinandergehängt: {values}.",
        "layer": "{name}: eine Schicht mit {symbol}; sie liest {reads}.",
        "more": "{name}: eine Schicht mit {symbol}; sie liest {reads} und addiert {rest}.",
        "unnamed": "Eine Schicht mit {symbol}; sie liest {reads}.",
        "unnamed more": "Eine Schicht mit {symbol}; sie liest {reads} und addiert {rest}.",
        "block": "{name}: ein Kasten; er liest {reads}.",
        "gate": " Ihre Werte liegen zwischen 0 und 1.",
        "norm": " Ihre Abbildungen normiert zuvor der Balken der Layer-Norm darunter.",
        "rail times": "Auf der Linie von {state}: mit {rest} multiplizieren.",
        "rail plus": "Auf der Linie von {state}: {rest} addieren.",
        "times": "{values} multiplizieren.",
        "plus": "{values} addieren.",
        "compute": "{values} berechnen.",
        "apply": "{symbol} anwenden auf {values}.",
        "fixed": "{symbol}, in jedem Schritt gleich.",
        "named": " Das ist {name}.",
        "state": " So entsteht der neue {name}; seine Linie führt rechts hinaus.",
        "new": "Der neue {name}",
        "output": "Die Ausgabeschicht liest {h}: {y}.",
        "product": "das Produkt",
        "sum": "die Summe",
        "result": "das Ergebnis",
        "and": " und ",
        "some state": "Zustand {symbol}",
    },
}


class StrokeCaptions:
    """Writes the captions of a cell's strokes; mathematics stands between dollar signs."""

    def __init__(
        self, placement: Placement, language: str = "en", is_simplified: bool = False
    ) -> None:
        self.placement, self.language = placement, language
        self.graph, self.elements = placement.graph, placement.elements
        self.notation = self.elements.writer.notation
        self.texts, self.is_simplified = _TEXTS[language], is_simplified
        self.names = {node: name for name, node in reversed(self.graph.outputs)}

    def describe_rail(self, state: str) -> str:
        """The line of a state."""
        leaf = next(leaf for leaf in self.graph.state_leaves if leaf.name == state)
        before, after = self._symbol(leaf), f"${self.notation.value(state).latex}$"
        words = self._name_state(state)
        text = self.texts["rail"].format(state=words, before=before, after=after)
        return text[:1].upper() + text[1:]

    def describe_join(self, join: SketchElement) -> str:
        """What comes in, put side by side."""
        return self.texts["join"].format(values=self._refer(join.output))

    def describe_part(self, part: SketchElement) -> str:
        """A layer, or an operation."""
        if part.kind in ("layer", "block"):
            return self._describe_layer(part)
        symbol, spot = f"${part.symbol}$", self.placement.positions[part]
        words = {r"\times": "times", "+": "plus"}.get(part.label, "")
        values = [self._refer(net) for net in part.inputs]
        expression = self._expand(part.output) if isinstance(part.output, Node) else None
        if not part.inputs:
            text = self.texts["fixed"].format(symbol=symbol)
        elif spot.on_rail and words and len(part.inputs) > 1:
            text = self._describe_on_rail(part, words)
        elif expression and not words:
            text = self.texts["compute"].format(values=expression)
        else:
            both = self.texts["and"].join(values)
            text = self.texts[words or "apply"].format(values=both, symbol=symbol)
        return text[:1].upper() + text[1:] + self._name_result(part)

    def _describe_on_rail(self, part: SketchElement, words: str) -> str:
        """What happens to a state's line."""
        state = self.placement.positions[part].lane
        line = self.placement.spines[state]
        place = line.index(part)
        own: Net = line[place - 1].output if place else self._find_leaf(state)
        others = [net for net in part.inputs if net is not own] or [own]
        rest = self.texts["and"].join(map(self._refer, others))
        if words == "times":
            rest = _DATIVE.get(rest, rest)
        symbol = f"${self.notation.symbols[state].latex}$"
        return self.texts[f"rail {words}"].format(state=symbol, rest=rest)

    def describe_output(self) -> str:
        """The output layer."""
        h = f"${self.notation.value(self.graph.states[0].name).latex}$"
        y = rf"$y_{{t}} = \mathrm{{softmax}}(V\,{h[1:-1]} + b)$"
        return self.texts["output"].format(h=h, y=y)

    def _describe_layer(self, part: SketchElement) -> str:
        node, symbol = part.output, f"${part.symbol}$"
        name = self.names.get(node) if isinstance(node, Node) else None
        reads = [self._refer(net) for net in part.inputs]
        title = self._title(name) if name else symbol
        if self.is_simplified:
            return self.texts["block"].format(name=title, reads=", ".join(reads))
        kind = "layer" if name else "unnamed"
        kind += " more" if len(reads) > 1 else ""
        text = self.texts[{"layer more": "more"}.get(kind, kind)].format(
            name=title, symbol=symbol, reads=reads[0], rest=self.texts["and"].join(reads[1:])
        )
        text += self.texts["gate"] if part.label == r"\sigma" else ""
        return text + (self.texts["norm"] if part.has_norm else "")

    def _title(self, name: str) -> str:
        """What a layer computes, as the beginning of a sentence."""
        value = f"${self.notation.value(name).latex}$"
        if name in {state.name for state in self.graph.states}:
            words = _STATES[self.language].get(name)
            return self.texts["new"].format(name=f"{words} {value}") if words else value
        words = name_in_words(name, self.language)
        if self.language == "de":
            words = _GERMAN_GATES.get(words, words)
        return f"{words[:1].upper()}{words[1:]} {value}" if words else value

    def _name_result(self, part: SketchElement) -> str:
        """What a part's value is, if it has a name."""
        name = self.names.get(part.output) if isinstance(part.output, Node) else None
        if name is None:
            return ""
        value = f"${self.notation.value(name).latex}$"
        if name in {state.name for state in self.graph.states}:
            words = _STATES[self.language].get(name)
            some = self.texts["some state"].format(symbol=value)
            return self.texts["state"].format(name=f"{words} {value}" if words else some)
        words = name_in_words(name, self.language)
        return self.texts["named"].format(name=f"{words} {value}" if words else value)

    def _name_state(self, state: str) -> str:
        symbol = f"${self.notation.symbols[state].latex}$"
        known = _STATES[self.language].get(state)
        return f"{known} {symbol}" if known else self.texts["some state"].format(symbol=symbol)

    def _find_leaf(self, state: str) -> Leaf:
        return next(leaf for leaf in self.graph.state_leaves if leaf.name == state)

    def _refer(self, net: Net) -> str:
        """A value by its symbol, or by what it is."""
        if isinstance(net, tuple):
            values = [self._refer(value) for value in net]
            if all(value.startswith("$") for value in values):
                inner = r",\ ".join(value.strip("$") for value in values)
                return f"$[{inner}]$"
            return ", ".join(values)
        return self._symbol(net)

    def _symbol(self, node: Node) -> str:
        if isinstance(node, Leaf):
            return f"${self.notation.leaf(node).latex}$"
        if node in self.names:
            return f"${self.notation.value(self.names[node]).latex}$"
        if node in self.elements.writer.symbols:
            return f"${self.elements.writer.symbols[node].latex}$"
        if written := self._expand(node):
            return written
        if isinstance(node, Elementwise) and node.op in ("multiply", "add"):
            return self.texts["product" if node.op == "multiply" else "sum"]
        return self.texts["result"]

    def _expand(self, node: Node) -> str | None:
        """What a value is computed from, if that is short."""
        if not isinstance(node, Elementwise | Affine):
            return None
        written = self.elements.writer.expand(node)
        return f"${written.latex}$" if len(written.plain) <= _LONGEST else None
