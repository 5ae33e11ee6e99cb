"""What the code of a file says, whatever its comments, and what it imports.

Hundreds of files are read by each start of the workflow, and so by each job on a cluster, which
starts it again. What was found is kept beside Python's own bytecode, and as that is: it holds for a
file of the same size and time; where nothing can be written it is found again.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from polymatch.files import written_atomically

KEPT = Path(__file__).parent / "__pycache__" / "syntax.json"


@cache
def syntax_hash(path: Path) -> str:
    """Hash of a file's syntax tree without docstrings."""
    return str(_found(path)["hash"])


@cache
def imported_names(path: Path) -> dict[str, list[str]]:
    """Module -> names that a file imports from it; ``*`` where it imports the module itself.

    What is there for type checkers alone is left out, and so are relative imports.
    """
    return dict(_found(path)["imports"])


def keep() -> None:
    """Write what was found in files that were new or changed, if there were any."""
    kept = _kept()
    if kept.pop("changed", False):
        with contextlib.suppress(OSError), written_atomically(KEPT) as partial:
            partial.write_text(json.dumps(kept), encoding="utf-8")


def _found(path: Path) -> dict[str, Any]:
    kept, stat = _kept(), path.stat()
    entry = kept.get(str(path))
    if entry is None or entry["stamp"] != [stat.st_size, stat.st_mtime_ns]:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        # Imports first: hashing takes docstrings away.
        entry = {
            "stamp": [stat.st_size, stat.st_mtime_ns],
            "imports": _imports(tree),
            "hash": _hash(tree),
        }
        kept |= {str(path): entry, "changed": True}
    return entry


@cache
def _kept() -> dict[str, Any]:
    try:
        return dict(json.loads(KEPT.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _hash(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _imports(tree: ast.Module) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in _run_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.setdefault(alias.name, []).append("*")
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.setdefault(node.module, []).extend(alias.name for alias in node.names)
    return found


def _run_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a syntax tree without what is there for type checkers alone."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)
