"""Print the public surface: every public name, its signature, and the members of its classes.

    python tools/public_surface.py            print it
    python tools/public_surface.py --write    keep it in tests/public_surface.txt

A name is public if an ``__init__.py`` re-exports it (``from m import X as X``, ``import *``), lists
it in ``__all__``, or defines it without a leading underscore. It stands under its shortest public
path. The source is parsed, never imported: the result is the same on every version of Python and
torch.
"""

from __future__ import annotations

import argparse
import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
KEPT = ROOT / "tests/public_surface.txt"
# The command line and the site have surfaces of their own: options, and addresses.
OUTSIDE = ("sluice.cli.", "sluice.studio.")
# What Python calls by itself; users call none of these.
NOT_CALLED = frozenset(
    """__get__ __getstate__ __init_subclass__ __post_init__ __reduce__ __repr__ __set_name__
    __setstate__ __str__""".split()
)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Definition:
    """Where a name is defined: the module, and the statements that define it there."""

    module: str
    name: str
    nodes: tuple[ast.stmt, ...] = ()

    @property
    def is_module(self) -> bool:
        return not self.nodes


def find_file(module: str) -> Path | None:
    path = SOURCE.joinpath(*module.split("."))
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return file
    return None


@cache
def parse(module: str) -> tuple[ast.stmt, ...]:
    file = find_file(module)
    return tuple(ast.parse(file.read_text(encoding="utf-8")).body) if file else ()


def walk_scope(statements: tuple[ast.stmt, ...] | list[ast.stmt]) -> Iterator[ast.stmt]:
    """A module's or class's own statements, those under ``if`` and ``try`` included."""
    for node in statements:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from walk_scope([*node.body, *node.orelse])


def list_targets(node: ast.stmt) -> list[str]:
    if isinstance(node, Function | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign):
        targets: list[ast.expr] = [node.target]
    else:
        targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


@cache
def resolve(module: str, name: str) -> Definition | None:
    """Follow imports to the definition of a name; None if it is not defined in the package."""
    nodes = [node for node in walk_scope(parse(module)) if name in list_targets(node)]
    if nodes:
        return Definition(module, name, tuple(nodes))
    for node in walk_scope(parse(module)):
        if isinstance(node, ast.ImportFrom) and node.module and find_file(node.module):
            for alias in node.names:
                if node.module == module:
                    continue
                if alias.name == "*" and name in list_public(node.module):
                    return resolve(node.module, name)
                if name == (alias.asname or alias.name):
                    return resolve(node.module, alias.name)
    submodule = f"{module}.{name}"
    return Definition(submodule, name) if find_file(submodule) else None


def list_public(module: str) -> list[str]:
    """The names that a module offers, sorted."""
    names: set[str] = set()
    for node in walk_scope(parse(module)):
        targets = list_targets(node)
        if "__all__" in targets and isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            return sorted(ast.literal_eval(node.value))
        if isinstance(node, ast.ImportFrom):
            names.update(alias.name for alias in node.names if alias.asname == alias.name)
            if node.module and node.names[0].name == "*":
                names.update(list_public(node.module))
        names.update(name for name in targets if not name.startswith("_"))
    return sorted(names)


def list_packages() -> list[str]:
    files = (SOURCE / "sluice").rglob("__init__.py")
    names = {".".join(file.parent.relative_to(SOURCE).parts) for file in files}
    names = [name for name in names if not f"{name}.".startswith(OUTSIDE) and "._" not in name]
    return sorted(names)


@cache
def find_paths() -> dict[Definition, list[str]]:
    """The public paths of every public definition, the shortest first."""
    paths: dict[Definition, list[str]] = {}
    waiting, seen = list_packages(), set[str]()
    while waiting:
        module = waiting.pop()
        seen.add(module)
        for name in list_public(module):
            definition = resolve(module, name)
            if definition is None:
                raise SystemExit(f"{module} offers {name!r}, which is defined nowhere in sluice")
            paths.setdefault(definition, []).append(f"{module}.{name}")
            if definition.is_module and definition.module not in seen:
                waiting.append(definition.module)
    return {d: sorted(set(p), key=lambda path: (path.count("."), path)) for d, p in paths.items()}


def describe_function(node: Function, name: str, *, method: bool = False) -> str:
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    arguments = copy.deepcopy(node.args)
    if method and "staticmethod" not in decorators:
        positional = arguments.posonlyargs or arguments.args
        del positional[:1]
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    marks = [d for d in decorators if d in ("classmethod", "staticmethod", "overload", "property")]
    if "property" in marks or "cached_property" in decorators:
        return f"property {name}{result.replace(' -> ', ': ')}"
    if any(decorator.endswith(".setter") for decorator in decorators):
        return f"setter {name}({ast.unparse(arguments)})"
    kind = " ".join([*marks, "method" if method else "function"])
    if isinstance(node, ast.AsyncFunctionDef):
        kind = f"async {kind}"
    return f"{kind} {name}({ast.unparse(arguments)}){result}"


def describe_value(node: ast.stmt, name: str) -> str:
    if isinstance(node, ast.AnnAssign):
        value = f" = {ast.unparse(node.value)}" if node.value else ""
        return f"attribute {name}: {ast.unparse(node.annotation)}{value}"
    assert isinstance(node, ast.Assign)
    return f"attribute {name} = {ast.unparse(node.value)}"


def describe_instance(method: Function) -> dict[str, list[str]]:
    """What ``__init__`` keeps under public names: ``self.size = size``."""
    lines: dict[str, list[str]] = {}
    for node in ast.walk(method):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        flat = [item for t in targets for item in (t.elts if isinstance(t, ast.Tuple) else [t])]
        for target in flat:
            text = ast.unparse(target)
            name = text.removeprefix("self.")
            if text != name and name.isidentifier() and not name.startswith("_"):
                note = (
                    f": {ast.unparse(node.annotation)}" if isinstance(node, ast.AnnAssign) else ""
                )
                lines.setdefault(name, [f"attribute {name}{note}"])
    return lines


def describe_members(node: ast.ClassDef, module: str) -> dict[str, list[str]]:
    """The lines of each member, with those of base classes that are not public themselves."""
    members: dict[str, list[str]] = {}
    for item in walk_scope(node.body):
        for name in list_targets(item):
            dunder = name.startswith("__") and name.endswith("__")
            if name in NOT_CALLED or (name.startswith("_") and not dunder):
                continue
            if isinstance(item, Function):
                if name == "__init__":
                    members = {**describe_instance(item), **members}
                members.setdefault(name, []).append(describe_function(item, name, method=True))
            elif not isinstance(item, ast.ClassDef) and not dunder:
                members[name] = [describe_value(item, name)]
    for base in node.bases:
        name = base.value if isinstance(base, ast.Subscript) else base
        found = resolve(module, name.id) if isinstance(name, ast.Name) else None
        if found in find_paths():
            continue
        if found and isinstance(found.nodes[0] if found.nodes else None, ast.ClassDef):
            members = {**describe_members(found.nodes[0], found.module), **members}
    return members


def describe(definition: Definition, path: str) -> list[str]:
    if definition.is_module:
        return [f"module {path}"]
    lines = []
    for node in definition.nodes:
        if isinstance(node, ast.ClassDef):
            bases = ", ".join(ast.unparse(base) for base in [*node.bases, *node.keywords])
            made_by = "".join(f"@{ast.unparse(item)} " for item in node.decorator_list)
            lines.append(f"{made_by}class {path}" + (f"({bases})" if bases else ""))
            members = describe_members(node, definition.module)
            lines += [f"    {line}" for name in sorted(members) for line in members[name]]
        elif isinstance(node, Function):
            lines.append(describe_function(node, path))
        elif definition.name.startswith("__"):
            lines.append(f"attribute {path}")
        else:
            lines.append(describe_value(node, path))
    return lines


def render_surface() -> str:
    blocks = []
    for definition, (path, *others) in sorted(find_paths().items(), key=lambda item: item[1]):
        lines = describe(definition, path)
        also = [f"    also {other}" for other in others]
        blocks.append("\n".join([lines[0], *also, *lines[1:]]))
    return "\n".join(blocks) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help=f"keep it in {KEPT.relative_to(ROOT)}")
    if parser.parse_args().write:
        KEPT.write_text(render_surface(), encoding="utf-8")
    else:
        print(render_surface(), end="")


if __name__ == "__main__":
    main()
