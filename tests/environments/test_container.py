"""The Dockerfile, by its own instructions: no daemon builds it here."""

import re
import subprocess

from dockerfile_parse import DockerfileParser

from .files import ROOT, environment, pinned

FILE = DockerfileParser(str(ROOT), cache_content=True)
STEPS = [
    (one["instruction"], one["value"]) for one in FILE.structure if one["instruction"] != "COMMENT"
]


def values(instruction):
    return [value for name, value in STEPS if name == instruction]


def test_both_stages_have_one_pinned_base_of_the_environments_python():
    bases = {value.partition(" AS ")[0] for value in values("FROM")}
    assert len(values("FROM")) == 2 and bases == {FILE.baseimage}
    name, tag = FILE.baseimage.split(":")
    assert name == "python" and f"python ={tag.split('-')[0]}" == environment("torch").conda[0]
    # A venv's python is a link to the base's, which the second stage has in the same place.
    assert "-m venv /opt/polymatch" in values("RUN")[0]


def test_what_it_installs_is_what_the_project_names():
    install = next(value for value in values("RUN") if "pip install" in value)
    assert install.endswith("/opt/polymatch/bin/pip install --requirement requirements.txt")
    assert "requirements.txt ." in values("COPY")
    assert {"snakemake", "torch"} <= set(pinned())
    copied = (ROOT / ".dockerignore").read_text().splitlines()
    assert [line for line in copied if not line.startswith("#")] == ["*", "!requirements.txt"]


def test_it_runs_as_nobody_special_and_finds_the_packages_first():
    last = max(index for index, (name, _) in enumerate(STEPS) if name == "RUN")
    assert ("USER", "polymatch") in STEPS[last:]
    assert FILE.envs["PATH"].startswith("/opt/polymatch/bin:")
    assert values("COPY")[-1] == "--from=packages /opt/polymatch /opt/polymatch"


def test_no_host_is_named():
    assert not re.search(r"https?:|[\w-]+\.(io|org|com)\b", FILE.content)


def test_its_commands_are_commands_of_a_shell():
    for value in values("RUN"):
        done = subprocess.run(["sh", "-n", "-c", value], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
