"""Reading in threads ahead of the one who asks, in order, holding no more than so many bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Condition
from typing import TypeVar

Row = TypeVar("Row")
Item = TypeVar("Item")

_WAITING = 256


def read_ahead(
    read: Callable[[Row], Item],
    rows: Iterable[Row],
    size: Callable[[Item], int],
    readers: int,
    most_bytes: int,
) -> Iterator[Item]:
    """Give ``read`` of each row, in order; ``readers`` threads are ahead of the one asked for.

    What is held is ``most_bytes`` at most, the item whose turn it is, and one item a reader: how
    large an item is shows only when it is read, so a reader keeps its own until there is room.
    An error of ``read`` comes where its item would have.

    >>> list(read_ahead(lambda x: x * x, range(5), lambda x: x, readers=2, most_bytes=9))
    [0, 1, 4, 9, 16]
    """
    room = _Room(most_bytes)

    def read_and_wait(turn: int, row: Row) -> tuple[Item, int]:
        item = read(row)
        taken = size(item)
        room.enter(turn, taken)
        return item, taken

    numbered = iter(enumerate(rows))
    with ThreadPoolExecutor(readers, thread_name_prefix="reader") as pool:
        waiting: deque[Future[tuple[Item, int]]] = deque()
        try:
            waiting.extend(pool.submit(read_and_wait, *row) for row in islice(numbered, _WAITING))
            while waiting:
                item, taken = waiting.popleft().result()
                waiting.extend(pool.submit(read_and_wait, *row) for row in islice(numbered, 1))
                yield item
                room.leave(taken)
        finally:
            room.close()
            for future in waiting:
                future.cancel()


class _Room:
    """Bytes that are held; whose turn it is always gets in, or all would wait for each other."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._turn = 0
        self._changed = Condition()

    def enter(self, turn: int, size: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: turn <= self._turn or self._held + size <= self._most)
            self._held += size

    def leave(self, size: int) -> None:
        with self._changed:
            self._held -= size
            self._turn += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Let everyone in: nobody asks any more."""
        with self._changed:
            self._most = 1 << 62
            self._changed.notify_all()
