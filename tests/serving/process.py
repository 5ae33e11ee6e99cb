"""The server as a person starts it: a process, and the address that it prints."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

LIBRARY = Path(__file__).parents[2] / "workflow"


def command(place, *arguments):
    """The command line, with the place's configuration."""
    there = ["--configfile", place.folder / "config.yaml", "--results", place.results]
    given = [*arguments, *there, "--device", "cpu"]
    return [sys.executable, "-m", "polymatch", "serve", *map(str, given)]


def environment():
    return os.environ | {"PYTHONPATH": str(LIBRARY), "HF_HUB_OFFLINE": "1"}


@contextmanager
def serving(place, *arguments):
    """The process, and its URL."""
    process = subprocess.Popen(
        command(place, *arguments, "--port", 0),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stdout:
            if ": http://" in line:
                yield process, line.split(": ", 1)[1].split(" ")[0]
                break
        else:
            raise AssertionError(process.stderr.read())
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
        process.stderr.close()
