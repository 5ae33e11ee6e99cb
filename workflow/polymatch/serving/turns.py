"""Work that takes time, in threads: so much at once, so much waiting, each within its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from polymatch.serving.limits import Refusal

T = TypeVar("T")


class Turns:
    """Bounds what is worked on.

    A thread cannot be stopped: what is over its time is answered so, and keeps its turn until it
    has ended, so that never more than ``at_once`` compute.

    Args:
        what: it is called in the refusals.
        at_once: threads.
        waiting: who wait beside those; more are refused at once.
        seconds: from the first moment on, waiting included.
    """

    def __init__(self, what: str, at_once: int, waiting: int, seconds: float) -> None:
        self._what, self._seconds = what, seconds
        self._most = at_once + waiting
        self._inside = 0
        self._free = asyncio.Semaphore(at_once)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix=what)

    async def run(self, work: Callable[[], T]) -> T:
        """Do ``work`` in a thread when it is its turn, and give its result.

        Raises:
            Refusal: too many wait, or it took too long.
        """
        if self._inside >= self._most:
            raise Refusal(503, f"too much to do at once ({self._what}); try again in a moment")
        self._inside += 1
        try:
            async with asyncio.timeout(self._seconds):
                try:
                    await self._free.acquire()
                except BaseException:
                    self._inside -= 1
                    raise
                done = asyncio.get_running_loop().run_in_executor(self._threads, work)
                done.add_done_callback(self._ended)
                return await asyncio.shield(done)
        except TimeoutError:
            raise Refusal(
                504, f"the {self._what} took longer than {self._seconds:g} s and was given up"
            ) from None

    def _ended(self, done: asyncio.Future[Any]) -> None:
        self._inside -= 1
        self._free.release()
        if not done.cancelled():
            done.exception()  # of one that nobody waits for any more it is no news
