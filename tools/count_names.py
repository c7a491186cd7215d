"""Count names that a reader stumbles over.

    python tools/count_names.py [FOLDER] [--list]

A *namesake* is a class whose name, leading underscores aside, another class of the package has too.
A *participle* is a function or method whose name is one past participle (``checked``, ``_made``),
where a verb would say what it does. Both shares are of all definitions, private ones too; of
functions, those with double underscores are left out. Uses of ``Any`` as a type are counted too.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src/sluice"

# Regular participles end in -ed, and so do these verbs and nouns.
NOT_PARTICIPLES = frozenset(
    "bed bleed breed embed exceed feed need proceed red seed shed speed succeed weed".split()
)
IRREGULAR = frozenset(
    """been begun bent bet bitten blown born borne bought bound broken brought built burnt caught
    chosen come crept dealt done drawn driven dug eaten fallen fed felt flown forbidden forgotten
    fought found frozen given gone got ground grown heard held hidden hung kept known laid lain
    learnt led left lent lit lost made meant met overridden paid proven risen said sat seen sent
    sewn shaken shone shot shown shrunk slept slid sold sought spelt spent spilt spoilt spoken spun
    stolen stood struck stuck sung sunk swept sworn swung taken taught thought thrown told torn
    undergone understood undone withdrawn woken won worn wound woven written""".split()
)
# The same class under two qualified names, as users of both know them: `cells.LSTM`, `nn.LSTM`.
PAIRS = frozenset({"LSTM", "GRU"})


def list_definitions(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Classes and functions, those within others too; expressions have none and are not entered."""
    for node in statements:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from list_definitions(getattr(node, name, []))


def is_participle(name: str) -> bool:
    word = name.strip("_").lower()
    regular = re.fullmatch(r"[a-z]+ed", word) and word not in NOT_PARTICIPLES
    return bool(regular) or word in IRREGULAR


@dataclass
class Counts:
    """What was found in a package; the names with the places where they are defined."""

    classes: int = 0
    functions: int = 0
    lines: int = 0
    namesakes: dict[str, list[str]] = field(default_factory=dict)
    participles: list[str] = field(default_factory=list)


def count_names(folder: Path = PACKAGE) -> Counts:
    counts = Counts()
    classes: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        counts.lines += len(text.splitlines())
        for node in list_definitions(ast.parse(text).body):
            place = f"{path.relative_to(folder)}:{node.lineno}"
            if isinstance(node, ast.ClassDef):
                counts.classes += 1
                classes[node.name.lstrip("_")].append(place)
            elif isinstance(node, ast.FunctionDef) and not node.name.startswith("__"):
                counts.functions += 1
                if is_participle(node.name):
                    counts.participles.append(f"{node.name} {place}")
    counts.namesakes = {
        name: places
        for name, places in sorted(classes.items())
        if len(places) > 1 and name not in PAIRS
    }
    return counts


def count_any(folder: Path) -> int:
    """How often ``Any`` stands as a name."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree))
    return sum(isinstance(node, ast.Name) and node.id == "Any" for node in nodes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=PACKAGE)
    parser.add_argument("--list", action="store_true", help="name each, with its file")
    arguments = parser.parse_args()
    counts = count_names(arguments.folder)
    if arguments.list:
        lines = [f"{name}: {', '.join(places)}" for name, places in counts.namesakes.items()]
        print(*lines, *sorted(counts.participles), sep="\n")
    count = sum(map(len, counts.namesakes.values()))
    print(f"namesakes   {count:4} of {counts.classes} classes    {count / counts.classes:.1%}")
    count = len(counts.participles)
    print(f"participles {count:4} of {counts.functions} functions  {count / counts.functions:.1%}")
    uses = count_any(arguments.folder)
    print(f"Any         {uses:4} uses, {1000 * uses / counts.lines:.1f} in 1,000 lines")


if __name__ == "__main__":
    main()
