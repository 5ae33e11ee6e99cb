"""A `conda` for tests, since no channel is reached: the calls that Snakemake 9.27 makes of it.

``env create`` solves the file against a local channel, as conda would, and then makes a virtual
environment that has exactly what was found: the wheels installed here, linked. So a package that a
rule needs and its file does not bring is missing there, as it would be in conda's. ``activate``
changes PATH as that of conda 26 does. Every call is a line of ``calls.jsonl``, and every start of
an environment's Python one of ``starts.jsonl``.
"""

import json
import stat
import sys
import venv
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUIETLY = ["--quiet", "--no-default-packages"]

# Of an environment that is active the place in PATH is taken; without one the first.
ACTIVATE = """\
if [ "${CONDA_SHLVL:-0}" = 0 ]; then
    PATH="$1/bin:$PATH"
else
    searched=":$PATH:"
    case "$searched" in
        *":$CONDA_PREFIX/bin:"*) searched="${searched/":$CONDA_PREFIX/bin:"/":$1/bin:"}" ;;
        *) searched=":$1/bin$searched" ;;
    esac
    PATH="${searched#:}"
    PATH="${PATH%:}"
fi
export PATH CONDA_PREFIX="$1" CONDA_SHLVL=$((${CONDA_SHLVL:-0} + 1))
"""
SITECUSTOMIZE = """\
import json, os, sys
with open({log!r}, "a") as log:
    script = sys.orig_argv[1] if len(sys.orig_argv) > 1 else ""
    line = {{"script": script, "prefix": sys.prefix, "active": os.environ.get("CONDA_PREFIX")}}
    log.write(json.dumps(line) + "\\n")
"""


def install(base):
    """Put the stand-in below a folder; returns the folder for PATH."""
    from ..environments.channel import write_channel

    write_channel(base / "channel")
    commands = base / "bin"
    commands.mkdir()
    (commands / "activate").write_text(ACTIVATE)
    conda = commands / "conda"
    conda.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "{base}" "$@"\n')
    conda.chmod(conda.stat().st_mode | stat.S_IXUSR)
    return commands


def lines(path):
    """The records of a log; none if there is no such file yet."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main(base, *call):
    with (base / "calls.jsonl").open("a") as log:
        log.write(json.dumps(call) + "\n")
    match call:
        case ("info", "--json"):
            print(json.dumps({"conda_prefix": str(base), "platform": "linux-64"}))
        case ("--version",):
            print("conda 26.7.0")
        case ("config", "--get", "channel_priority", "--json"):
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ("clean", "-y", "--tarballs"):
            pass
        case ("env", "create", *options, "--file", file, "--prefix", prefix) if options == QUIETLY:
            create(base, Path(file), Path(prefix))
        case _:
            sys.exit(f"conda: error: the stand-in has no {' '.join(call)}")


def create(base, file, prefix):
    """Make the environment of a file: Python, what a solver finds, and what pip would add."""
    import yaml
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    from tests.environments.channel import solve
    from tests.environments.files import TOOLS, pypi_name

    specs = yaml.safe_load(file.read_text())["dependencies"]
    conda = [spec for spec in specs if isinstance(spec, str)]
    wheels = [line for spec in specs if isinstance(spec, dict) for line in spec["pip"]]
    found = {pypi_name(name) for name in solve(conda, base / "channel", "linux-64")}
    found |= {canonicalize_name(Requirement(line).name) for line in wheels}
    venv.create(prefix, symlinks=True)
    (packages,) = prefix.glob("lib/python*/site-packages")
    for name in sorted(found - TOOLS - {"python"}):
        link(name, packages)
    log = str(base / "starts.jsonl")
    (packages / "sitecustomize.py").write_text(SITECUSTOMIZE.format(log=log))


def link(name, packages):
    """Link what a wheel that is installed here has brought, by the first part of its paths."""
    for part in {Path(file).parts[0] for file in metadata.files(name)}:
        source = Path(metadata.distribution(name).locate_file(part))
        if part not in ("..", "__pycache__") and not (packages / part).exists():
            (packages / part).symlink_to(source)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.path.insert(0, str(ROOT / "workflow"))
    main(Path(sys.argv[1]), *sys.argv[2:])
