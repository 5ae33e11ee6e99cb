"""The conda environments of `envs`, and the versions that they are held against."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "envs").glob("*.yaml"))
# PyPI's name -> conda-forge's, where they differ. `matplotlib` of conda-forge brings all of Qt.
IN_CONDA = {
    "torch": "pytorch",
    "matplotlib": "matplotlib-base",
    "huggingface-hub": "huggingface_hub",
}
FROM_CONDA = {conda: pypi for pypi, conda in IN_CONDA.items()}
# Tools that put an environment together: no result depends on their versions.
TOOLS = {"pip", "git"}


class Environment(NamedTuple):
    """One file: ``conda`` specs and ``pip`` requirements, as they are written."""

    channels: list[str]
    conda: list[str]
    pip: list[str]

    @property
    def wheels(self):
        """Requirements of the part that pip installs, by PyPI's name."""
        found = [Requirement(line) for line in self.pip]
        return {canonicalize_name(one.name): one for one in found}

    @property
    def packages(self):
        """PyPI's names of all that is named, but Python and tools."""
        names = {spec.split()[0] for spec in self.conda} - TOOLS - {"python"}
        return {pypi_name(name) for name in names} | set(self.wheels)


@cache
def environment(name):
    content = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text(encoding="utf-8"))
    assert set(content) == {"channels", "dependencies"}, name
    specs = [one for one in content["dependencies"] if isinstance(one, str)]
    parts = [one for one in content["dependencies"] if not isinstance(one, str)]
    assert [set(part) for part in parts] in ([], [{"pip"}]), name
    return Environment(content["channels"], specs, parts[0]["pip"] if parts else [])


@cache
def pinned(file="requirements.txt"):
    """PyPI's name -> version that a file of requirements pins."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pairs = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line.partition(" #")[0]) for line in lines]
    return {canonicalize_name(pair[1]): pair[2] for pair in pairs if pair}


def pypi_name(conda_name):
    return canonicalize_name(FROM_CONDA.get(conda_name, conda_name))


def conda_name(pypi_name):
    return IN_CONDA.get(pypi_name, pypi_name)
