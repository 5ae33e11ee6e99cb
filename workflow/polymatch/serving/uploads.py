"""A picture or clip that is sent: bounded while it comes, tried before it is read, then removed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePath

from starlette.requests import ClientDisconnect, Request

from polymatch.data.video_files import VIDEO_SUFFIXES
from polymatch.serving.limits import Limits, Refusal, megabytes

TYPE = "application/octet-stream"


def suffix_of(name: str) -> str:
    """The ending by which a file is read, of the name that its sender gives it.

    Nothing else of that name is used. What no video ends in is a picture, whose kind shows in its
    bytes.

    >>> suffix_of("My Clip.MP4"), suffix_of("a/../b.png"), suffix_of("x.mp4/../../etc/passwd")
    ('.mp4', '', '')
    """
    suffix = PurePath(name).suffix.lower()
    return suffix if suffix in VIDEO_SUFFIXES else ""


@asynccontextmanager
async def received(request: Request, name: str, limits: Limits) -> AsyncIterator[Path]:
    """The body of a request as a file that is gone after the block, however that ends.

    Raises:
        Refusal: it is not sent as bytes, too large, too slow, or empty.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != TYPE:  # what forms of other sites cannot send without being asked about
        raise Refusal(415, f"a file is sent as {TYPE}, not as {kind or 'nothing'}")
    too_large = Refusal(
        413, f"the file is larger than {megabytes(limits.upload)}; send a smaller one"
    )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.upload:
        raise too_large
    with tempfile.TemporaryDirectory(prefix="polymatch-") as folder:
        path = Path(folder) / f"upload{suffix_of(name)}"
        size = 0
        try:
            async with asyncio.timeout(limits.upload_seconds):
                with path.open("wb") as file:
                    async for block in request.stream():
                        size += len(block)
                        if size > limits.upload:
                            raise too_large
                        file.write(block)
        except TimeoutError:
            raise Refusal(
                408, f"the file took longer than {limits.upload_seconds:g} s to arrive"
            ) from None
        except ClientDisconnect:
            raise Refusal(499, "the sender has left") from None
        if not size:
            raise Refusal(400, "the file is empty; choose a picture or a clip")
        yield path


def tried(path: Path, n_frames: int, limits: Limits) -> None:
    """Read an upload in a process of its own, which may be killed, before this one reads it.

    Args:
        path: the file.
        n_frames: frames that are read of a clip.
        limits: time and memory of that process, and pixels.

    Raises:
        Refusal: it is no picture or clip, or reading it takes too much.
    """
    asked = {"path": str(path), "n_frames": n_frames, "pixels": limits.pixels}
    asked |= {"memory": limits.decode_memory, "seconds": limits.decode_seconds}
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-m", "polymatch.serving.trial", json.dumps(asked)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            cwd=path.parent,
            timeout=limits.decode_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refusal(
            422,
            f"reading the file takes longer than {limits.decode_seconds:g} s; send a shorter one",
        ) from None
    except OSError:  # its folder is gone: whoever sent it has left
        raise Refusal(499, "the file is not there any more") from None
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip()
        raise Refusal(422, said or "the file is not a readable picture or clip; send another one")


def _environment() -> dict[str, str]:
    """One thread, and this library; nothing else of what this process was given."""
    library = Path(__file__).resolve().parents[2]
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    return kept | {
        "PYTHONPATH": str(library),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
