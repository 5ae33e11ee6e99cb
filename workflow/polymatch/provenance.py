"""What a result was made from: hashes of library code, settings and files.

Snakemake does not see that a script imports a library module, so each rule carries
:func:`code_hash` of its script in ``params``: editing a module reruns the stages that import it,
directly or not, and no others. The hash is of the syntax tree without docstrings, so comments,
documentation and formatting rerun nothing. Names that a room's ``__init__`` re-exports are followed
to the module that defines them, or every stage would depend on every module.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from polymatch.errors import ConfigError
from polymatch.syntax import imported_names, keep, syntax_hash

LIBRARY = Path(__file__).parent
CONTENT_LIMIT = 64 * 2**20


def code_hash(script: Path | str, *modules: str) -> str:
    """Hash a script and every library module that it, or one of ``modules``, imports.

    Args:
        script: a Python file.
        modules: dotted names of modules that the script loads by name (a family, a source).

    Raises:
        ConfigError: one of ``modules`` does not exist.
    """
    sources = imported_files(script, *modules)
    digest = _digest(f"{path.name}:{syntax_hash(path)}" for path in sources)
    keep()
    return digest


def imported_files(script: Path | str, *modules: str) -> list[Path]:
    """The files whose code :func:`code_hash` of the same arguments is of, sorted.

    Raises:
        ConfigError: one of ``modules`` does not exist.
    """
    sources = {Path(script).resolve()}
    for name in modules:
        sources.add(_known_module(name))
    waiting = list(sources)
    while waiting:
        found = _imports(waiting.pop()) - sources
        sources |= found
        waiting += found
    return sorted(sources)


def modules_in(*package: str) -> list[str]:
    """Names of the modules in a package of the library, without importing one.

    >>> "ranks" in modules_in("evaluation")
    True
    """
    return sorted(path.stem for path in LIBRARY.joinpath(*package).glob("[!_]*.py"))


def settings_hash(*settings: Any) -> str:
    """Hash settings: sections of the config or anything that JSON can hold."""
    return _digest(json.dumps(_plain(part), sort_keys=True) for part in settings)


def folder_hash(folder: Path | str) -> str:
    """Hash a folder's files: by name and content up to 64 MB in all, above by size and time."""
    root = Path(folder)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    small = sum(path.stat().st_size for path in files) <= CONTENT_LIMIT
    return _digest(f"{path.relative_to(root)}:{_content(path, small)}" for path in files)


def file_hash(file: Path | str) -> str:
    """Hash a file: by its content up to 64 MB, above by size and time."""
    path = Path(file)
    return _content(path, path.stat().st_size <= CONTENT_LIMIT)


def _content(path: Path, small: bool) -> str:
    if small:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    stat = path.stat()
    return f"{stat.st_size}:{stat.st_mtime_ns}"


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


@cache
def _imports(path: Path) -> frozenset[Path]:
    """Library files that a file imports itself, at any depth of its own nesting."""
    found: set[Path | None] = set()
    for module, names in imported_names(path).items():
        parts = module.split(".")
        if parts[0] == "polymatch":
            found |= {_defining_file(parts, name) for name in names}
        # Scripts that take no name from one beside them want its side effect alone.
        elif names != ["*"] and (beside := path.with_name(f"{parts[0]}.py")).is_file():
            found.add(beside)
    return frozenset(file for file in found if file is not None)


def _known_module(name: str) -> Path:
    parts = name.split(".")
    file = _module_file(parts)
    if file is None:
        there = ", ".join(modules_in(*parts[1:-1]))
        raise ConfigError(f"there is no module {name}; beside it are: {there}")
    return file


def _module_file(parts: list[str]) -> Path | None:
    if parts[0] != "polymatch":
        return None
    base = LIBRARY.joinpath(*parts[1:])
    for file in (base.with_suffix(".py"), base / "__init__.py"):
        if file.is_file():
            return file
    return None


def _defining_file(parts: list[str], name: str) -> Path | None:
    """The file that defines ``name`` imported from module ``parts``, past any re-export."""
    submodule = _module_file([*parts, name])
    if submodule is not None:
        return submodule
    file = _module_file(parts)
    if file is None or file.name != "__init__.py":
        return file
    for module, names in imported_names(file).items():
        if name in names:
            return _defining_file(module.split("."), name)
    return file
