"""How much one asks the server for, and what it says to more."""

from __future__ import annotations

from dataclasses import dataclass

from polymatch.errors import PolymatchError


@dataclass(frozen=True)
class Limits:
    """Bounds of what is asked; sizes in bytes or characters, times in seconds.

    Attributes:
        text: characters of a text, and of an id.
        k: answers to a question.
        upload: bytes of a picture or clip that is sent.
        upload_seconds: that sending it may take.
        uploads: that are received at once.
        pixels: of all frames of a picture together, and of one frame of a clip.
        decode_seconds: that reading an upload may take.
        decode_memory: bytes that the process which reads it may have.
        search_seconds: that a search may take.
        searches: that are worked on at once.
        waiting: that wait for their turn; more are refused.
        connections: that are open at once.
    """

    text: int = 1000
    k: int = 100
    upload: int = 64 << 20
    upload_seconds: float = 60.0
    uploads: int = 4
    pixels: int = 100_000_000
    decode_seconds: float = 20.0
    decode_memory: int = 3 << 30
    search_seconds: float = 60.0
    searches: int = 2
    waiting: int = 16
    connections: int = 100


class Refusal(PolymatchError):
    """What is asked for is not given.

    Args:
        status: of HTTP.
        message: what is wrong, and what to do.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def megabytes(size: int) -> str:
    """A number of bytes as people say it.

    >>> megabytes(64 << 20), megabytes(1 << 19)
    ('64 MB', '0.5 MB')
    """
    return f"{size / (1 << 20):.2g} MB" if size < 1 << 20 else f"{size / (1 << 20):g} MB"
