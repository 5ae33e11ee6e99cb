"""ImageBind: what needs no package here; the rest in the environment of `make imagebind-env`."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polymatch.encoders import LoadOptions, encoder_info, encoder_names, load_encoder
from polymatch.encoders.imagebind import RATE, clips_of
from polymatch.encoders.networks import imagebind_weights
from polymatch.encoders.networks.imagebind_weights import WEIGHTS, find_weights
from polymatch.encoders.networks.squares import centre_square, squashed
from polymatch.errors import ConfigError, DataError

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("IMAGEBIND_ENV", ROOT / ".venv-imagebind")) / "bin" / "python"
REASON = f"{PYTHON}: not there; `make imagebind-env` (Debian 12, 1.1 GB) creates it"

in_its_environment = pytest.mark.skipif(not PYTHON.is_file(), reason=REASON)


def run(*arguments):
    command = [PYTHON, "-W", "ignore", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


@pytest.mark.long
@in_its_environment
@pytest.mark.parametrize("file", ["imagebind_package.py", "imagebind_loading.py"])
def test_with_the_package_itself(file):
    plain = ("--noconftest", "-q", "-p", "no:cacheprovider")
    done = run("-m", "pytest", *plain, Path("tests", "encoders", file))
    assert done.returncode == 0, done.stdout[-6000:]
    assert " passed" in done.stdout and " skipped" not in done.stdout


@pytest.mark.long
@in_its_environment
@pytest.mark.parametrize("script", ["extract_items", "extract_captions"])
def test_the_scripts_run_there(script):
    done = run("workflow/scripts/" + script + ".py", "--help")
    assert done.returncode == 0 and "--encoder" in done.stdout, done.stdout


@pytest.mark.parametrize("name", ["imagebind", "imagebind_squashed"])
def test_info_is_there_without_package_and_weights(name):
    assert name in encoder_names()
    info = encoder_info(name)
    assert info.name == name and info.environment == "imagebind"
    assert list(info.item_features) == ["frames", "pooled", "audio"]
    assert [feature.per_frame for feature in info.item_features.values()] == [True, False, False]
    assert info.joint_space and info.sound_rate == RATE and info.licence == "CC-BY-NC-SA-4.0"
    assert info.sha256["imagebind_huge.pth"] == WEIGHTS.sha256
    assert (ROOT / "envs" / "imagebind.yaml").is_file()
    assert ("squashed" in info.preprocessing) == (name == "imagebind_squashed")
    assert ("centre" in info.preprocessing) == (name == "imagebind")


@pytest.mark.parametrize("name", ["imagebind", "imagebind_squashed"])
def test_without_the_package(name, tmp_path):
    message = (
        f"encoder '{name}' needs the Python package 'imagebind', which is not installed; "
        "run with --sdm conda, or install what envs/imagebind.yaml names"
    )
    options = LoadOptions(data_root=tmp_path, download=True)
    with pytest.raises(ConfigError, match=f"^{message}$"):
        load_encoder(name, "cpu", options)
    # nothing was fetched for a network that cannot run
    assert not any(tmp_path.iterdir())


def test_missing_weights(tmp_path):
    at = tmp_path / "imagebind" / "imagebind_huge.pth"
    with pytest.raises(DataError) as caught:
        find_weights(LoadOptions(data_root=tmp_path))
    assert str(caught.value) == (
        f"{at}: no weights of ImageBind there; set `download` to true, or put "
        "https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth there "
        "(4803584173 bytes, CC-BY-NC-SA-4.0)"
    )
    at.parent.mkdir()
    at.write_bytes(b"half")
    with pytest.raises(DataError, match=r"huge\.pth: 4 bytes, not 4803584173; delete it and downl"):
        find_weights(LoadOptions(data_root=tmp_path))


def test_weights_of_the_right_size_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(imagebind_weights, "WEIGHTS", replace(WEIGHTS, bytes=4))
    at = tmp_path / "imagebind" / "imagebind_huge.pth"
    at.parent.mkdir()
    at.write_bytes(b"half")
    with pytest.raises(
        DataError, match=r"huge\.pth: SHA-256 is [0-9a-f]{64}, not the pinned d6f6c"
    ):
        find_weights(LoadOptions(data_root=tmp_path))


def test_other_weights_by_their_path(tmp_path):
    path = tmp_path / "mine.pth"
    options = LoadOptions(model=str(path), download=True)
    with pytest.raises(DataError, match=r"mine\.pth: no weights of ImageBind there; correct `mod"):
        find_weights(options)
    path.write_bytes(b"abc")
    assert find_weights(options) == (path, hashlib.sha256(b"abc").hexdigest())


def test_a_revision_has_no_meaning():
    with pytest.raises(ConfigError, match=r"encoder: imagebind has no revisions \(given: 'main'\)"):
        find_weights(LoadOptions(revision="main"))


@given(st.integers(1, 5_000_000))
def test_clips_reach_from_the_beginning_to_the_end(samples):
    clips = clips_of(samples)
    assert len(clips) == 3 and clips[0] == slice(0, 2 * RATE)
    if samples <= 2 * RATE:
        assert clips == [clips[0]] * 3
    else:
        assert samples - 1 <= clips[2].stop <= samples
        assert abs(clips[1].start - (samples - 2 * RATE) / 2) <= 1
        assert all(abs(clip.stop - clip.start - 2 * RATE) <= 1 for clip in clips)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 24))
def test_squares(height, width, side):
    colour = np.full((height, width, 3), (200, 3, 90), dtype=np.uint8)
    for make in (centre_square, squashed):
        assert np.array_equal(make(colour, side), np.full((side, side, 3), (200, 3, 90)))
    frame = np.random.default_rng(height).integers(0, 256, (side, side, 3), dtype=np.uint8)
    for make in (centre_square, squashed):
        assert np.array_equal(make(frame, side), frame)


def test_the_centre_is_cut_out_and_squashing_keeps_all():
    frame = np.zeros((40, 120, 3), dtype=np.uint8)
    frame[:, 40:80] = 255
    assert (centre_square(frame, 40) == 255).all()
    whole = squashed(frame, 40)
    assert whole[20, 5, 0] == 0 and whole[20, 20, 0] == 255
    assert torch.from_numpy(whole.copy()).float().mean() == pytest.approx(255 / 3, abs=2)
