"""A small local channel: conda packages of the names, versions and dependencies that wheels have.

No channel is reached by the tests. A wheel says what it needs, for each platform, as its conda
package does; so what a solver finds here is whether the pins of a file go together. Whether the
real channel has a version is another question.
"""

import asyncio
import json
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rattler import Channel, MatchSpec, SparseRepoData, solve_with_sparse_repodata

from .files import conda_name, environment, pinned

PLATFORMS = ("linux-64", "osx-arm64")
NEWEST = "9999"
TOOL_VERSIONS = {"python": "3.11.9", "pip": "26.0", "git": "2.51.0"}
_MARKERS = {
    "linux-64": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "osx-arm64": {
        "sys_platform": "darwin",
        "platform_system": "Darwin",
        "platform_machine": "arm64",
    },
}


@cache
def wheels(imagebind=False):
    """PyPI's name -> (version, requirements) of the wheels of an environment's kind."""
    names = [name for name in pinned() if name not in ("snakemake", "argparse-dataclass")]
    found = {name: (pinned()[name], metadata.requires(name) or []) for name in names}
    if imagebind:
        path = Path(__file__).with_name("imagebind_wheels.json")
        for name, one in json.loads(path.read_text(encoding="utf-8")).items():
            found[canonicalize_name(name)] = (one["version"], one["requires"])
    return found


def requirements(lines, platform):
    """Those of the lines that hold on a platform, without extras."""
    marks = _MARKERS[platform] | {"python_version": "3.11", "python_full_version": "3.11.9"}
    parsed = [Requirement(line) for line in lines]
    return [one for one in parsed if not one.marker or one.marker.evaluate(marks | {"extra": ""})]


def needed_by_wheels(name):
    """PyPI's names of what the packages that pip installs need, directly or not."""
    known = wheels(name == "imagebind")
    waiting, found = [*environment(name).wheels], set()
    while waiting:
        lines = known[waiting.pop()][1]
        more = {canonicalize_name(one.name) for one in requirements(lines, "linux-64")} - found
        found |= more
        waiting += more
    return found


def write_channel(folder, newer=False, leave_out=()):
    """Write the channel below a folder: ``<platform>/repodata.json``.

    Args:
        newer: also a version of everything that is newer than any pin and needs nothing, which a
            solver takes where a file does not pin.
        leave_out: PyPI's names of packages that it lacks.
    """
    for platform in PLATFORMS:
        records = {}
        for kind in (False, True):
            for name, (version, lines) in wheels(kind).items():
                if name not in leave_out:
                    depends = [_spec(one) for one in requirements(lines, platform)]
                    _add(records, platform, conda_name(name), version, ["python", *depends])
        for name, version in TOOL_VERSIONS.items():
            _add(records, platform, name, version, [])
        for name in {record["name"] for record in records.values()} if newer else ():
            _add(records, platform, name, NEWEST, [])
        content = {"info": {"subdir": platform}, "packages": records, "packages.conda": {}}
        target = Path(folder) / platform / "repodata.json"
        target.parent.mkdir(parents=True)
        target.write_text(json.dumps(content))
    return Path(folder)


def solve(specs, folder, platform):
    """Package -> version of the environment that a solver finds.

    Raises:
        rattler.exceptions.SolverError: there is none, and why.
    """
    source = SparseRepoData(
        Channel("conda-forge"), platform, str(Path(folder) / platform / "repodata.json")
    )
    found = asyncio.run(
        solve_with_sparse_repodata([MatchSpec(spec, strict=True) for spec in specs], [source])
    )
    return {record.name.normalized: str(record.version) for record in found}


def _spec(requirement):
    name = conda_name(canonicalize_name(requirement.name))
    return f"{name} {requirement.specifier}".strip()


def _add(records, platform, name, version, depends):
    records[f"{name}-{version}-0.tar.bz2"] = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": depends,
        "md5": "0" * 32,
        "size": 1,
        "subdir": platform,
    }
