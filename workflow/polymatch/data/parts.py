"""What has arrived of a file so far, and which version of it that is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from polymatch.errors import DataError
from polymatch.files import written_atomically


class Part:
    """``NAME.part``, and ``.NAME.part.json`` that says where it is from.

    Written as it comes, without a buffer, so that a killed process loses nothing.
    """

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._record = target.with_name(f".{target.name}.part.json")

    @property
    def size(self) -> int:
        """Bytes that are there; 0 without a file."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def known(self) -> dict[str, Any]:
        """``url``, ``validator`` and ``total`` as the mirror said them; empty if not known."""
        try:
            known = json.loads(self._record.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def begin(self, url: str, validator: str | None, total: int | None) -> None:
        """Start with nothing, from a mirror that names its version so."""
        self.path.unlink(missing_ok=True)
        known = {"url": url, "validator": validator, "total": total}
        with written_atomically(self._record) as partial:
            partial.write_text(json.dumps(known) + "\n", encoding="utf-8")
        self.path.touch()

    def append(self, data: bytes) -> None:
        """Write on.

        Raises:
            DataError: the disk is full, a quota is reached, or the folder cannot be written.
        """
        rest = memoryview(data)
        try:
            with self.path.open("ab", buffering=0) as file:
                while rest:
                    rest = rest[file.write(rest) :]
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be written ({error.strerror}); make room and run again: it "
                "goes on where it stopped"
            ) from error

    def discard(self) -> None:
        """Forget all of it."""
        self.path.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def become(self, target: Path) -> None:
        """Move what has arrived into place, once it is on the disk."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(target)
        self._record.unlink(missing_ok=True)
