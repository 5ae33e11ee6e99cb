"""`--sdm apptainer`: jobs run in the image, by a stand-in that looks at how it is called."""

import json
import os
import subprocess
import sys

import pytest

# What Snakemake asks of it: its version, and `exec --home DIR [options] IMAGE sh -c COMMAND`.
APPTAINER = """\
import json, os, sys
call = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps(call) + "\\n")
if call == ["--version"]:
    print("apptainer version 1.4.1")
else:
    image, shell, option, command = call[-4:]
    assert os.path.isfile(image), f"FATAL: could not open image {{image}}"
    os.environ["PATH"] = {image_path!r} + os.pathsep + "/usr/bin:/bin"
    os.execvp(shell, [shell, option, command])
"""
TARGET = "results/few/manifest.parquet"
pytestmark = pytest.mark.xdist_group("apptainer")


@pytest.fixture
def contained(fresh, tmp_path_factory):
    """A checkout, an apptainer on PATH, and the Python that is "in" the image."""
    base = tmp_path_factory.mktemp("apptainer")
    image = base / "image"
    image.mkdir()
    python = image / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> "{base}/inside"\nexec "{sys.executable}" "$@"\n')
    (base / "bin").mkdir()
    command = base / "bin/apptainer"
    code = APPTAINER.format(log=str(base / "calls.jsonl"), image_path=str(image))
    command.write_text(f"#!{sys.executable}\n{code}")
    for path in (python, command):
        path.chmod(0o755)

    def run(*arguments):
        return subprocess.run(
            fresh.command(TARGET, *arguments),
            cwd=fresh.folder,
            env=os.environ | {"PATH": f"{command.parent}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return fresh.folder, base, run


def test_a_job_runs_the_python_of_the_image_in_the_project(contained):
    folder, base, run = contained
    (folder / "polymatch.sif").touch()
    done = run("--sdm", "apptainer")
    assert done.returncode == 0, done.stdout
    (inside,) = (base / "inside").read_text().splitlines()
    assert inside.startswith("workflow/scripts/prepare.py ")
    call = json.loads((base / "calls.jsonl").read_text().splitlines()[-1])
    assert call[:3] == ["exec", "--home", str(folder)]
    assert str(folder / "polymatch.sif") in call
    assert (folder / TARGET).is_file()


def test_without_being_asked_for_there_is_no_image(contained):
    _, base, run = contained
    done = run()
    assert done.returncode == 0, done.stdout
    assert not (base / "calls.jsonl").exists()


def test_an_image_that_is_missing_stops_the_job(contained):
    folder, _, run = contained
    done = run("--sdm", "apptainer")
    assert done.returncode != 0
    assert f"could not open image {folder}/polymatch.sif" in done.stdout
