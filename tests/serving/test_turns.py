"""Turns: so much at once, so much waiting, each within its time."""

import asyncio
import threading
import time

import pytest

from polymatch.serving.limits import Refusal
from polymatch.serving.turns import Turns


def test_no_more_than_so_many_at_once_and_the_rest_in_order():
    async def all_of_them():
        turns = Turns("search", 2, 10, 10.0)
        lock, now, most = threading.Lock(), [], []

        def work(number):
            with lock:
                now.append(number)
                most.append(len(now))
            time.sleep(0.02)
            with lock:
                now.remove(number)
            return number

        given = [turns.run(lambda number=number: work(number)) for number in range(12)]
        return await asyncio.gather(*given), max(most)

    found, most = asyncio.run(all_of_them())
    assert found == list(range(12)) and most == 2


def test_more_than_may_wait_are_refused_at_once():
    async def crowd():
        turns = Turns("search", 1, 2, 10.0)
        given = [turns.run(lambda: time.sleep(0.1)) for _ in range(6)]
        found = await asyncio.gather(*given, return_exceptions=True)
        later = await turns.run(lambda: "free again")
        return found, later

    found, later = asyncio.run(crowd())
    refused = [each for each in found if isinstance(each, Refusal)]
    assert len(refused) == 3 and later == "free again"
    assert (refused[0].status, str(refused[0])) == (
        503,
        "too much to do at once (search); try again in a moment",
    )


def test_what_takes_too_long_is_given_up_and_keeps_its_turn_until_it_ends():
    ended = threading.Event()

    def work():
        ended.wait(5)
        return "late"

    async def late():
        turns = Turns("search", 1, 1, 0.1)
        with pytest.raises(Refusal) as first:
            await turns.run(work)
        with pytest.raises(Refusal) as second:  # its thread is still busy
            await turns.run(lambda: "soon")
        ended.set()
        await asyncio.sleep(0.05)
        return first.value, second.value, await turns.run(lambda: "soon")

    first, second, third = asyncio.run(late())
    assert str(first) == "the search took longer than 0.1 s and was given up"
    assert (first.status, second.status, third) == (504, 504, "soon")


def test_errors_of_the_work_are_those_of_the_turn():
    async def failing():
        turns = Turns("search", 1, 1, 1.0)
        with pytest.raises(ZeroDivisionError):
            await turns.run(lambda: 1 / 0)
        return await turns.run(lambda: "free again")

    assert asyncio.run(failing()) == "free again"
