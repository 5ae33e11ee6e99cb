"""The program ``polymatch``: one command for each module here, found by its name.

A command is a module without an underscore in front. Its docstring's first line is what the list of
commands says of it; ``add_arguments(parser)`` and ``run(args)`` are all that is asked of it. A
:class:`~polymatch.errors.PolymatchError` becomes one line on the terminal and status 2, as a wrong
argument does. The list is made without importing any command, and a command imports what takes
seconds (torch) only once it runs, so that help and mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from polymatch.errors import PolymatchError
from polymatch.settings.explain import suggest

__all__ = ["add_config", "commands", "main"]

DEFAULT_CONFIG = Path("config/config.yaml")


def commands() -> dict[str, str]:
    """Name of each command, and what it does."""
    files = sorted(Path(__file__).parent.glob("[!_]*.py"))
    return {file.stem: _first_line(file) for file in files}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names; the status is 0, or 2 where it cannot."""
    given = list(sys.argv[1:] if argv is None else argv)
    known = commands()
    if not given or given[0] in ("-h", "--help"):
        print(_overview(known))
        return 0 if given else 2
    name, *rest = given
    if name not in known:
        print(f"polymatch: unknown command {name!r}; {suggest(name, known)}", file=sys.stderr)
        return 2
    command = importlib.import_module(f"{__name__}.{name}")
    parser = argparse.ArgumentParser(
        prog=f"polymatch {name}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    try:
        command.run(parser.parse_args(rest))
        sys.stdout.flush()
    except PolymatchError as error:
        print(f"polymatch {name}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever reads has read enough (`| head`); what is still held back goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which configuration, and where its results are."""
    parser.add_argument(
        "--configfile",
        type=Path,
        action="append",
        metavar="FILE",
        help=f"configuration of the runs ({DEFAULT_CONFIG}); again for what comes on top of it",
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the runs")


def _first_line(file: Path) -> str:
    about = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return about.partition("\n")[0].rstrip(".")


def _overview(known: dict[str, str]) -> str:
    wide = max(map(len, known), default=0)
    listed = "\n".join(f"  {name:<{wide}}  {about}" for name, about in known.items())
    return f"usage: polymatch COMMAND ...\n\n{listed}\n\n`polymatch COMMAND --help` says more."
