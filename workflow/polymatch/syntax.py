"""What the code of a file says, whatever its comments, and what it imports.

Hundreds of files are read by each start of the workflow, and so by each job on a cluster, which
starts it again. What was found is kept beside Python's own bytecode, and as that is: by one version
of Python and of this module, for files of the same size and time; where nothing can be written it
is found again.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from polymatch.files import written_atomically

KEPT = Path(__file__).parent / "__pycache__" / f"syntax.{sys.implementation.cache_tag}.json"


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
    if _found_anew:
        _kept().update(_found_anew)
        _found_anew.clear()
        record = {"by": _by(), "files": _kept()}
        with contextlib.suppress(OSError), written_atomically(KEPT) as partial:
            partial.write_text(json.dumps(record), encoding="utf-8")


_found_anew: dict[str, Any] = {}
"""Path -> what this process found, until it is kept."""


def _found(path: Path) -> dict[str, Any]:
    stamp, entry = _stamp(path), _found_anew.get(str(path)) or _kept().get(str(path))
    if entry is None or entry["stamp"] != stamp:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        # Imports first: hashing takes docstrings away.
        entry = {"stamp": stamp, "imports": _imports(tree), "hash": _hash(tree)}
        _found_anew[str(path)] = entry
    return entry


@cache
def _kept() -> dict[str, Any]:
    """Path -> what another process found, with the same Python and the same module."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        record = json.loads(KEPT.read_text(encoding="utf-8"))
        if record["by"] == _by():
            return dict(record["files"])
    return {}


def _by() -> list[Any]:
    return [sys.version, *_stamp(Path(__file__))]


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


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
