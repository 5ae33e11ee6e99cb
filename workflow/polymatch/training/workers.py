"""Several processes that do the same: started, waited for, and stopped together."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

POLL_SECONDS = 0.1
STOP_SECONDS = 30.0


def run_workers(count: int, command: Sequence[str]) -> None:
    """Run a command ``count`` times at once and wait for all.

    One that fails stops the others, and so does whatever stops this process, except SIGKILL:
    workers see for themselves that their parent is gone.

    Raises:
        SystemExit: one has failed, which has said why; with its status.
    """
    workers: list[subprocess.Popen[bytes]] = []
    try:
        with _undisturbed():
            for _ in range(count):
                workers.append(subprocess.Popen(command))
        # All are asked each time: one that has failed may stand behind one that still runs.
        while None in (statuses := [worker.poll() for worker in workers]):
            _refuse_failed(statuses)
            time.sleep(POLL_SECONDS)
        _refuse_failed(statuses)
    finally:
        _stop(workers)


@contextmanager
def stop_quietly(advice: str) -> Iterator[None]:
    """Let SIGTERM stop the block as Ctrl-C does, so that it can clean up; say it in one line."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(f"stopped; {advice}")
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Put off SIGINT and SIGTERM until the block ends.

    In the midst of starting a worker they would leave one that is known to nobody. (Signals are
    not blocked instead, since workers would inherit that.)
    """
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = [signal.signal(number, lambda number, _: came.append(number)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])


def _refuse_failed(statuses: list[int | None]) -> None:
    for status in statuses:
        if status:
            raise SystemExit(status if status > 0 else 1)


def _stop(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        worker.terminate()
    end = time.monotonic() + STOP_SECONDS
    for worker in workers:
        try:
            worker.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
