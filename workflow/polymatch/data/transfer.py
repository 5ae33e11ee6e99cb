"""One file over HTTP from one mirror, in as many attempts as it takes.

What has arrived is gone on with (Range) under the name that the mirror gave to that version of the
file (If-Range), so that a file that has changed starts again instead of being sewn together.
Without such a name, or from another mirror, it is gone on with only where a SHA-256 judges the
whole.

An attempt that got a MiB further than any before does not count towards ``Patience.attempts``: a
large file over a line that breaks is slow, not hopeless.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import requests
import urllib3.exceptions
from tqdm import tqdm

from polymatch.data.answers import (
    Interrupted,
    MirrorFailed,
    Session,
    content_length,
    content_range,
    failure,
    refusal,
    validator,
)
from polymatch.data.parts import Part
from polymatch.data.remote import RemoteFile
from polymatch.data.space import require_space

CHUNK = 2**20
PROGRESS = 2**20
SLOWEST = 1000
"""Bytes a second; a line that stays below is as good as none."""


@dataclass(frozen=True)
class Patience:
    """How long a mirror is tried.

    Attributes:
        attempts: that got no further, before the mirror is given up.
        stall_seconds: without an answer or a byte, after which an attempt is over.
        first_wait: seconds before the second attempt, doubled before each one after it.
        longest_wait: most seconds to wait; a mirror that asks for more is given up.
        report_seconds: between two lines of progress.
    """

    attempts: int = 5
    stall_seconds: float = 60.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    report_seconds: float = 10.0


def transfer(file: RemoteFile, url: str, part: Part, patience: Patience) -> bool:
    """Bring ``part`` to the whole file as this mirror has it; whether it is of several pieces.

    Raises:
        MirrorFailed: the mirror does not answer, refuses, has another file, or breaks too often.
        DataError: the disk has no room, or cannot be written.
    """
    began = furthest = part.size if _goes_on(file, url, part) else 0
    failures = attempts = 0
    with Session() as session:
        while True:
            try:
                _attempt(session, file, url, part, patience)
                return began > 0 or attempts > 0
            except Interrupted as error:
                attempts += 1
                failures += 1
                if part.size >= furthest + PROGRESS:
                    furthest, failures = part.size, 1
                if error.wait > patience.longest_wait:
                    raise MirrorFailed(f"{error}; asks to wait {error.wait:.0f} s") from error
                if failures >= patience.attempts:
                    raise MirrorFailed(f"{error}; {attempts} attempts") from error
                own = patience.first_wait * 2.0 ** (failures - 1)
                wait = min(max(error.wait, own), patience.longest_wait)
                _say(f"{file.name}: {url}: {error}; again in {wait:.3g} s from byte {part.size}")
                time.sleep(wait)


def _goes_on(file: RemoteFile, url: str, part: Part) -> bool:
    """Whether what is there can be gone on with from this mirror."""
    if not part.size or (file.bytes is not None and part.size > file.bytes):
        return False
    known = part.known
    named = known.get("url") == url and known.get("validator")
    return bool(named or file.sha256)


def _attempt(session: Session, file: RemoteFile, url: str, part: Part, patience: Patience) -> None:
    start = part.size if _goes_on(file, url, part) else 0
    if start and start == file.bytes:
        return
    known, headers = part.known, {}
    if start:
        headers["Range"] = f"bytes={start}-"
        if known.get("url") == url and known.get("validator"):
            headers["If-Range"] = known["validator"]
    try:
        # The mirror is asked anew each time, as the addresses that it leads to expire.
        response = session.get(url, headers=headers, stream=True, timeout=patience.stall_seconds)
    except requests.RequestException as error:
        raise failure(error, patience.stall_seconds) from error
    with response:
        if response.status_code == 416 and start:
            if content_range(response)[1] == start:
                return  # all of it was there
            part.discard()
            raise Interrupted("has fewer bytes than before; starting again")
        if response.status_code == 206 and start:
            total = _same_total(response, url, part)
        elif response.status_code == 200:
            # The first time, or the server knows no parts, or the file has changed.
            start, total = 0, content_length(response)
            _check_whole(response, file, total)
        else:
            raise refusal(response)
        expected = file.bytes if total is None else total
        if file.bytes not in (None, expected):
            raise MirrorFailed(f"has {expected} bytes{_page(response)} instead of {file.bytes}")
        unpacked = file.unpacked.max_bytes if file.unpacked else 0
        require_space(part.path.parent, (expected or start) - start + unpacked, file.name)
        if not start:
            part.begin(url, validator(response), total)
        _receive(response, file.name, part, expected, patience)


def _same_total(response: requests.Response, url: str, part: Part) -> int | None:
    """Total size of the file that a server goes on with, if it is the one that is here in part."""
    known, (start, total) = part.known, content_range(response)
    changed = start != part.size
    if None not in (total, known.get("total")):
        changed |= total != known["total"]
    if known.get("url") == url:
        changed |= validator(response) not in (None, known.get("validator"))
    if changed:
        part.discard()
        raise Interrupted("has another file than before; starting again")
    return total


def _check_whole(response: requests.Response, file: RemoteFile, total: int | None) -> None:
    encoding = response.headers.get("Content-Encoding", "identity")
    # Some servers call a .tar.gz so, and send it as it is.
    if encoding != "identity" and not file.name.endswith(("gz", "bz2", "xz")):
        raise MirrorFailed(f"sends it compressed ({encoding}), which was not asked for")
    if total is None and file.bytes is None and not file.sha256 and not response.raw.chunked:
        raise MirrorFailed(f"does not say how long it is{_page(response)}: a cut would not show")


def _page(response: requests.Response) -> str:
    return " (a web page)" if "html" in response.headers.get("Content-Type", "") else ""


def _receive(
    response: requests.Response, name: str, part: Part, expected: int | None, patience: Patience
) -> None:
    began = reported = marked = time.monotonic()
    start = position = mark = part.size
    while True:
        try:
            # What is there, not a full buffer: it lies on the disk before the line breaks.
            chunk = response.raw.read1(CHUNK, decode_content=False)
        except urllib3.exceptions.ProtocolError as error:
            raise _broken(position, expected) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise failure(error, patience.stall_seconds) from error
        if not chunk:
            break
        part.append(chunk)
        position += len(chunk)
        if expected is not None and position > expected:
            part.discard()
            raise MirrorFailed(f"sends more than {expected} bytes")
        now = time.monotonic()
        if now - reported >= patience.report_seconds:
            reported = now
            _report(name, start, position, expected, now - began)
        if now - marked >= patience.stall_seconds:
            if position - mark < SLOWEST * patience.stall_seconds:
                raise Interrupted(f"sends fewer than {SLOWEST} bytes a second")
            marked, mark = now, position
    _report(name, start, position, expected, time.monotonic() - began)
    if expected is not None and position < expected:
        raise _broken(position, expected)


def _broken(position: int, expected: int | None) -> Interrupted:
    whole = "" if expected is None else f" of {expected}"
    return Interrupted(f"broke off at byte {position}{whole}")


def _report(name: str, start: int, position: int, total: int | None, seconds: float) -> None:
    meter = tqdm.format_meter(
        position, total or 0, seconds, initial=start, unit="B", unit_scale=True, ncols=0
    )
    _say(f"{name}: {meter.strip()}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
