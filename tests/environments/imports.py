"""Which packages a script imports, by the syntax trees of what it loads; nothing is imported.

Two lists, since the library imports late what takes long to import or only some jobs need. What is
imported `at_once` is needed by whoever starts the script. What is imported `late`, inside functions
of the files that the script's code hash is of, is needed if the function is called. Imports for
type checkers alone do not count.
"""

import ast
import sys
from functools import cache
from pathlib import Path

from polymatch.provenance import LIBRARY, imported_files

# Modules that import all that they find in a folder.
LOOKED_INTO = {LIBRARY / "settings/families.py": sorted(LIBRARY.glob("settings/*.py"))}


def imported_at_once(script, *modules):
    """Names of the foreign packages that a script, and modules that it loads by name, start with.

    With the ``__init__`` of every package on the way, which Python runs and the hash looks through.
    """
    seen = set()
    waiting = [path.resolve() for path in (Path(script), *map(_file_of, modules))]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += _inits(file) + LOOKED_INTO.get(file, [])
            waiting += [other for name in _names(file, late=False) for other in _run_by(name, file)]
    return _foreign(seen, late=False)


def imported_late(script, *modules):
    """Names of the foreign packages that are imported besides, by some function."""
    used = _foreign(imported_files(script, *modules), late=True)
    return used - imported_at_once(script, *modules)


def mentions(word, script, *modules):
    """Whether the code that a script loads has a word in it."""
    files = imported_files(script, *modules)
    return any(word in path.read_text(encoding="utf-8") for path in files)


def _foreign(files, late):
    roots = {name.partition(".")[0] for file in files for name in _names(file, late)}
    beside = {path.stem for file in files for path in file.parent.glob("*.py")}
    return frozenset(roots - beside - {"polymatch", "__future__"} - sys.stdlib_module_names)


def _file_of(module):
    return next(iter(_run_by(module, Path())))


def _inits(file):
    """The ``__init__`` files of the packages that a file of the library lies in."""
    folders = [folder for folder in file.parents if folder.is_relative_to(LIBRARY)]
    return [folder / "__init__.py" for folder in folders]


def _run_by(name, file):
    """Files of this project that ``import name`` runs in a file."""
    first, *rest = name.split(".")
    base = LIBRARY.joinpath(*rest) if first == "polymatch" else file.with_name(first)
    return [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()]


@cache
def _names(path: Path, late):
    """Dotted names of all that a file imports; only of what it imports at once unless ``late``."""
    return frozenset(_walk(ast.parse(path.read_text(encoding="utf-8")), late))


def _walk(node, late):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not late:
            continue
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for part in child.orelse:
                yield from _walk(ast.Module([part], []), late)
        else:
            yield from _walk(child, late)
