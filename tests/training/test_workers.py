"""Workers are started, waited for and stopped together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from polymatch.training.workers import run_workers

ROOT = Path(__file__).parents[2]


def python(code, *arguments):
    return [sys.executable, "-c", code, *map(str, arguments)]


def test_all_are_run_at_once_and_waited_for(tmp_path):
    code = (
        "import os, sys, time; from pathlib import Path; folder = Path(sys.argv[1])\n"
        "(folder / str(os.getpid())).touch()\n"
        "while len(list(folder.iterdir())) < 3: time.sleep(0.01)"
    )
    run_workers(3, python(code, tmp_path))
    assert len(list(tmp_path.iterdir())) == 3


def test_one_that_fails_stops_the_others(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; first = Path(sys.argv[1]) / 'first'\n"
        "try: first.touch(exist_ok=False)\n"
        "except FileExistsError: time.sleep(600)\n"
        "sys.exit(3)"
    )
    start = time.monotonic()
    with pytest.raises(SystemExit) as caught:
        run_workers(2, python(code, tmp_path))
    assert caught.value.code == 3
    assert time.monotonic() - start < 60
    assert not psutil.Process().children()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_stops_the_first_process_stops_all_and_is_said_in_one_line(number):
    code = (
        "import sys; from polymatch.training.workers import *\n"
        "with stop_quietly('the same command goes on'):\n"
        "    print('ready', flush=True)\n"
        "    run_workers(2, [sys.executable, '-c', 'import time; time.sleep(600)'])"
    )
    process = subprocess.Popen(
        python(code),
        env=os.environ | {"PYTHONPATH": str(ROOT / "workflow")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As in a terminal, even where this test itself runs in the background (SIGINT ignored).
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    process.stdout.readline()
    while len(children := psutil.Process(process.pid).children()) < 2:
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said == "stopped; the same command goes on\n"
    assert not any(child.is_running() for child in children)
