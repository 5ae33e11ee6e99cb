"""The rule that downloads: real jobs from a real server, and what Snakemake must not delete."""

from __future__ import annotations

import json

import pytest

from polymatch.data.remote import Unpacked
from tests.data.mirror import running, status
from tests.data.packed import zipped

from .conftest import make_checkout

SNAKEFILE = """
import sys
from pathlib import Path

configfile: "config/config.yaml"

sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))
from polymatch.data.remote import RemoteFile
from polymatch.settings.config import load_config

CONFIG = load_config(config)
include: "workflow/rules/targets.smk"
FILES = [RemoteFile.from_json(line) for line in open("files.jsonl")]
REMOTE = {f"{DATA}/downloads/{file.name}.json": file for file in FILES}
include: "workflow/rules/downloads.smk"

rule everything:
    default_target: True
    input:
        list(REMOTE),
"""


@pytest.fixture
def checkout(tmp_path):
    checkout = make_checkout(tmp_path)
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    return checkout


def give(checkout, *files):
    lines = "".join(f"{file.to_json()}\n" for file in files)
    (checkout.folder / "files.jsonl").write_text(lines)


def test_files_come_once_and_no_rerun_deletes_one(checkout):
    content = b"id,caption\n1,it's a 'quote' and {braces}\n"
    root, records = checkout.folder / "resources/few", checkout.folder / "results/few/downloads"
    with running(content) as plain, running(zipped({"V/1.mp4": b"one"})) as packed:
        clips = Unpacked("clips", 3, strip="V", keep="*.mp4")
        files = [
            plain.remote("lists/it's.csv", known=False, about="it's {one}"),
            packed.remote("packed/clips.zip", unpacked=clips),
        ]
        give(checkout, *files)
        assert checkout.planned() == {"download": 2, "everything": 1}
        assert not plain.requests  # looking at what would be done fetches nothing
        done = checkout.run()
        assert done.returncode == 0, done.stdout
        assert (root / "lists/it's.csv").read_bytes() == content
        assert (root / "clips/1.mp4").read_bytes() == b"one"
        record = json.loads((records / "packed/clips.zip.json").read_text())
        assert record["sha256"] == files[1].sha256 and record["files"] == 1
        log = checkout.folder / "results/logs/download/few/lists/it's.csv.log"
        assert "lists/it's.csv: 100% " in log.read_text()

        places = [root / "lists/it's.csv", root / "packed/clips.zip", root / "clips/1.mp4"]
        before = [path.stat().st_mtime_ns for path in places]
        done = checkout.run("--forceall")
        assert done.returncode == 0, done.stdout
        done = checkout.run("--delete-all-output")
        assert done.returncode == 0, done.stdout
        assert not list(records.rglob("*.json"))
        assert [path.stat().st_mtime_ns for path in places] == before
        assert len(plain.requests) == len(packed.requests) == 1


def test_a_failed_download_is_one_line_and_a_wrong_file_stays(checkout):
    wrong = checkout.folder / "resources/few/a.csv"
    wrong.write_bytes(b"mine")
    with running(b"1,2", status(404)) as mirror:
        give(checkout, mirror.remote("a.csv"), mirror.remote("b.csv", known=False))
        done = checkout.run("--keep-going")
    assert done.returncode == 1
    assert (
        "DataError: resources/few/a.csv: is in the way: it has 4 bytes instead of 3; delete it, or "
        "move it away, to download it"
    ) in done.stdout
    assert (
        f"DataError: b.csv: not downloaded: tried {mirror.url} (HTTP 404 Not Found)" in done.stdout
    )
    assert wrong.read_bytes() == b"mine"
    assert not list((checkout.folder / "results/few").rglob("*.json"))
