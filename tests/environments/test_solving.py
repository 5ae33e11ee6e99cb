"""Environments against a local channel of packages that need what the wheels need."""

import pytest
from packaging.utils import canonicalize_name
from rattler.exceptions import SolverError

from .channel import PLATFORMS, TOOL_VERSIONS, requirements, solve, wheels, write_channel
from .files import NAMES, TOOLS, environment, pypi_name

on_each = pytest.mark.parametrize("platform", PLATFORMS)


@pytest.fixture(scope="module")
def channel(tmp_path_factory):
    return write_channel(tmp_path_factory.mktemp("channel"))


@pytest.fixture(scope="module")
def channel_with_newer(tmp_path_factory):
    return write_channel(tmp_path_factory.mktemp("newer"), newer=True)


@on_each
@pytest.mark.parametrize("name", NAMES)
def test_an_environment_solves_to_the_versions_that_it_names(name, platform, channel_with_newer):
    specs = [spec for spec in environment(name).conda if spec not in TOOLS]
    found = solve(specs, channel_with_newer, platform)
    for spec in specs:
        package, version = spec.split(" =")
        assert found[package] == (TOOL_VERSIONS["python"] if package == "python" else version)


@on_each
@pytest.mark.parametrize("name", [name for name in NAMES if environment(name).pip])
def test_pip_finds_all_that_its_packages_need_in_place(name, platform, channel):
    """Or it would add what no file names, or change what the channel's packages were built for."""
    file = environment(name)
    known = wheels(name == "imagebind")
    there = {
        pypi_name(one): version for one, version in solve(file.conda, channel, platform).items()
    }
    assert not set(there) & set(file.wheels)
    there |= {package: known[package][0] for package in file.wheels}
    for package in file.wheels:
        for needed in requirements(known[package][1], platform):
            version = there.get(canonicalize_name(needed.name))
            assert version is not None, f"envs/{name}.yaml: {package} needs {needed}; name it"
            assert needed.specifier.contains(version), f"{package} needs {needed}, not {version}"


def test_pins_that_do_not_go_together_are_found(channel):
    with pytest.raises(SolverError, match="protobuf"):
        solve(["tensorboard =2.21.0", "protobuf =9999"], channel, "linux-64")


def test_a_package_that_the_channel_lacks_is_found(tmp_path):
    lacking = write_channel(tmp_path, leave_out=["h5py"])
    with pytest.raises(SolverError, match="h5py"):
        solve(environment("report").conda, lacking, "osx-arm64")
