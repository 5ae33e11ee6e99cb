"""Downloads by real processes: two at once, killed ones, a full disk, and the script by hand."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polymatch.data.downloads import download
from polymatch.data.remote import Unpacked

from .mirror import QUICK, running, serve, stall, status
from .packed import zipped
from .test_downloads import files_in

SCRIPT = Path(__file__).parents[2] / "workflow/scripts/fetch_file.py"
CONTENT = bytes(range(256)) * 4000
HALF = len(CONTENT) // 2


def command(file, root, out="record.json"):
    where = ["--root", str(root), "--out", str(root / out)]
    return [sys.executable, str(SCRIPT), "--file", file.to_json(), *where]


def started(file, root, out="record.json"):
    return subprocess.Popen(command(file, root, out), stderr=subprocess.PIPE, text=True)


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen within 20 s"
        time.sleep(0.01)


def test_two_processes_fetch_a_file_once(tmp_path):
    with running(CONTENT) as mirror:

        def once_both_are_there(handler):
            # The second process is waiting by now, or the server would have heard of it.
            wait_for(lambda: len(processes) == 2)
            wait_for(lambda: "waiting" in processes[1].stderr.readline())
            handler.body(CONTENT[HALF:])

        mirror.acts = [serve(first=HALF, then=once_both_are_there)]
        file = mirror.remote()
        processes = [started(file, tmp_path, "0.json")]
        wait_for(lambda: mirror.requests)
        processes.append(started(file, tmp_path, "1.json"))
        assert [process.wait(30) for process in processes] == [0, 0]
        for process in processes:
            process.stderr.close()
        assert len(mirror.requests) == 1 and sum(mirror.sent) == len(CONTENT)
    assert (tmp_path / file.name).read_bytes() == CONTENT
    records = [json.loads((tmp_path / f"{one}.json").read_text()) for one in (0, 1)]
    assert records[0] == records[1]
    assert records[0]["sha256"] == file.sha256 and records[0]["bytes"] == len(CONTENT)


def test_a_killed_process_leaves_its_bytes_and_no_lock(tmp_path):
    with running(CONTENT, stall(HALF)) as mirror:
        mirror.tag = '"one"'
        file = mirror.remote(known=False)
        process = started(file, tmp_path)
        part = tmp_path / f"{file.name}.part"
        wait_for(lambda: part.exists() and part.stat().st_size == HALF)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (tmp_path / file.name).exists()
        assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
        assert mirror.sent == [HALF, HALF]
    assert files_in(tmp_path) == ["data/clips.bin", "data/clips.bin.sha256"]


def test_a_disk_that_fills_up_keeps_what_is_there(tmp_path):
    # A limit on the size of files stands for the disk: the system refuses the same call.
    limit = "import resource, runpy, sys; sys.argv = sys.argv[1:]; "
    limit += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({HALF}, {HALF})); "
    limit += "runpy.run_path(sys.argv[0], run_name='__main__')"
    with running(CONTENT) as mirror:
        mirror.tag = '"one"'
        file = mirror.remote()
        python, *rest = command(file, tmp_path)
        done = subprocess.run([python, "-c", limit, *rest], stderr=subprocess.PIPE, text=True)
        part = tmp_path / f"{file.name}.part"
        assert done.returncode == 1 and part.stat().st_size == HALF
        assert done.stderr.splitlines()[-1] == (
            f"DataError: {part}: cannot be written (File too large); make room and run again: it "
            "goes on where it stopped"
        )
        assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
        assert mirror.sent[1] == HALF


@pytest.mark.parametrize("by_hand", [False, True])
def test_the_script_says_what_is_there(tmp_path, by_hand):
    with running(zipped({"a.txt": b"one"})) as mirror:
        file = mirror.remote("c.zip", unpacked=Unpacked("clips", 9))
        if by_hand:
            (tmp_path / "clips").mkdir()
            (tmp_path / "clips/a.txt").write_bytes(b"one")
        done = subprocess.run(command(file, tmp_path), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert len(mirror.requests) == (0 if by_hand else 1)
    assert json.loads((tmp_path / "record.json").read_text()) == {
        "name": "c.zip",
        "place": "clips",
        "licence": "MIT",
        "archive": None if by_hand else "c.zip",
        "archive_bytes": None if by_hand else file.bytes,
        "sha256": None if by_hand else file.sha256,
        "files": 1,
        "bytes": 3,
    }


def test_the_script_fails_in_one_line(tmp_path):
    with running(CONTENT, status(404)) as mirror:
        file = mirror.remote(known=False)
        done = subprocess.run(command(file, tmp_path), capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (
        f"DataError: data/clips.bin: not downloaded: tried {mirror.url} (HTTP 404 Not Found); "
        f"put it at {tmp_path}/data/clips.bin\n"
    )
    assert not (tmp_path / "record.json").exists()
