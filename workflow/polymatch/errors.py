"""What Polymatch raises: errors that say what was wrong, where, and what to do.

Scripts turn these into one line on the terminal (see :func:`one_line_errors`); anything else is a
bug and keeps its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class PolymatchError(Exception):
    """Base of every error that a user can act on."""


class ConfigError(PolymatchError):
    """The configuration asks for something that does not exist or cannot be."""


class DataError(PolymatchError):
    """A file, row or id of the data is missing, broken or contradicts another."""


class NumericsError(PolymatchError):
    """A computation was asked of numbers that it cannot take (NaN, constant, too few)."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print a :class:`PolymatchError` as one line and exit with status 1."""
    try:
        yield
    except PolymatchError as error:
        sys.exit(f"{type(error).__name__}: {error}")
