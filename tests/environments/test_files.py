"""Environment files, one by one: pinned, strict, and of the versions that everything else has."""

import pytest
from rattler import MatchSpec
from rattler.exceptions import InvalidMatchSpecError

from .files import NAMES, TOOLS, environment, pinned, pypi_name

# It has an older torch, and so older versions of much else: those of its tests.
OWN = "imagebind"
OTHERS = [name for name in NAMES if name != OWN]
# What only a channel has one kind of machine's builds of.
ONE_PLATFORM = ("cuda", "cpuonly", "cudatoolkit", "mkl", "nvidia", "pywin32", "triton", "xla")

each = pytest.mark.parametrize("name", NAMES)


def versions(name):
    """PyPI's name -> version, of the channel's packages."""
    pairs = [spec.split(" =") for spec in environment(name).conda if spec not in TOOLS]
    return {pypi_name(package): version for package, version in pairs if package != "python"}


@each
def test_every_spec_is_a_name_and_one_version(name):
    for spec in environment(name).conda:
        read = MatchSpec(spec, strict=True)
        package = spec.split()[0]
        if package not in TOOLS:
            assert spec == f"{package} ={str(read.version).removesuffix('.*')}"
        # A build, a channel or a platform would tie it to one kind of machine.
        for part in (read.build, read.build_number, read.channel, read.subdir, read.file_name):
            assert part is None, spec
        assert not package.startswith(ONE_PLATFORM) and "cuda" not in package, spec


@pytest.mark.parametrize("spec", ["numpy =", "numpy ==2.4.6=", "num py =2", "numpy =2.4.6]", ""])
def test_the_parser_is_strict(spec):
    with pytest.raises(InvalidMatchSpecError):
        MatchSpec(spec, strict=True)


@each
def test_one_channel_and_no_other_by_default(name):
    assert environment(name).channels == ["conda-forge", "nodefaults"]


@each
def test_nothing_is_named_twice(name):
    found = environment(name)
    assert len(found.conda) == len({spec.split()[0] for spec in found.conda})
    assert len(found.pip) == len(found.wheels)
    assert not set(versions(name)) & set(found.wheels)
    assert ("pip" in found.conda) == bool(found.pip)


@each
def test_what_pip_installs_is_one_version_or_one_commit(name):
    for one in environment(name).wheels.values():
        if one.url is None:
            (only,) = one.specifier
            assert only.operator == "==" and not only.version.endswith("*")
        else:
            assert one.url.startswith("git+https://") and len(one.url.rpartition("@")[2]) == 40
        assert not one.extras and one.marker is None


@pytest.mark.parametrize("name", OTHERS)
def test_versions_are_those_of_the_requirements(name):
    expected = pinned()
    found = versions(name) | {
        package: str(one.specifier).removeprefix("==")
        for package, one in environment(name).wheels.items()
    }
    assert found == {package: expected.get(package) for package in found}


def test_imagebinds_versions_are_those_of_its_tests():
    expected = pinned("tests/encoders/imagebind_requirements.txt")
    found = versions(OWN)
    shared = set(found) & set(expected)
    assert {one: found[one] for one in shared} == {one: expected[one] for one in shared}
    # The rest comes with Debian's torch there, or is what the default environment has.
    assert set(found) - shared == {"torch", "torchvision", "torchaudio", "networkx"}


def test_imagebinds_versions_keep_what_its_comment_promises():
    found = versions(OWN)
    assert found["numpy"] < "2" and found["pandas"] < "3" and int(found["setuptools"][:2]) < 82
    assert found["torch"] == found["torchaudio"] == "2.8.0" and found["torchvision"] == "0.23.0"
    assert "0.1.5" not in str(environment(OWN).wheels["pytorchvideo"])


def test_python_is_the_oldest_that_the_project_takes():
    assert {environment(name).conda[0] for name in NAMES} == {"python =3.11"}
