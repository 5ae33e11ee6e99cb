"""Processes that are copies of this one, which has everything imported: there at once."""

import multiprocessing
import os
import signal
import socket
import sys
import threading
import traceback

import torch
from tqdm import tqdm

from polymatch import distributed


def started(work, *given):
    """Start a process that does ``work(*given)``."""
    process = multiprocessing.get_context("fork").Process(target=_alone, args=(work, *given))
    process.start()
    return process


def together(count, work, *given):
    """Let ``count`` processes do ``work(*given)``, as torchrun would; their exit codes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = [started(_joined, number, count, port, work, given) for number in range(count)]
    # As torchrun does it: if one fails, the others are stopped.
    while any(process.is_alive() for process in running):
        for process in running:
            process.join(0.05)
        if any(process.exitcode for process in running):
            for process in running:
                process.kill()
    return [process.exitcode for process in running]


def _joined(number, count, port, work, given):
    os.environ |= {
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    distributed.start("cpu")
    work(*given)
    distributed.stop()


def _alone(work, *given):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    torch.set_num_threads(1)
    # The one that tqdm makes is of all processes: killed while it has it, this one stops the first.
    tqdm.set_lock(threading.RLock())
    code = 1
    try:
        work(*given)
        code = 0
    except Exception:
        traceback.print_exc()
    sys.stderr.flush()
    # What pytest wants to do in the end is for the first process alone.
    os._exit(code)
