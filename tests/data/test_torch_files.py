"""Files of torch.save from elsewhere: plain ones are read, code is never run."""

import argparse
import pickle
from pathlib import Path

import pytest
import torch

from polymatch.data.torch_files import read_torch
from polymatch.errors import DataError


class Trap:
    """Unpickled by an ordinary loader, it would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_and_plain_values_come_back(tmp_path, zipped):
    values = {"a": torch.randn(3, 2), "b": [1, 2.5, "x", None, True]}
    torch.save(values, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    read = read_torch(tmp_path / "x.pt")
    assert torch.equal(read["a"], values["a"]) and read["b"] == values["b"]


@pytest.mark.parametrize("plain_pickle", [True, False])
def test_code_is_refused_and_not_run(tmp_path, plain_pickle):
    trap = {"a": torch.ones(2), "b": Trap(tmp_path / "sprung")}
    if plain_pickle:
        (tmp_path / "x.pt").write_bytes(pickle.dumps(Trap(tmp_path / "sprung"), protocol=2))
    else:
        torch.save(trap, tmp_path / "x.pt")
    with pytest.raises(DataError, match=r"x\.pt: (holds .*a pickle can run code|not a whole file)"):
        read_torch(tmp_path / "x.pt")
    assert not (tmp_path / "sprung").exists()


def test_a_class_is_read_only_where_it_is_allowed(tmp_path):
    torch.save({"config": argparse.Namespace(lr=0.1)}, tmp_path / "x.pt")
    with pytest.raises(DataError, match=r"x\.pt: holds argparse\.Namespace, more than tensors"):
        read_torch(tmp_path / "x.pt")
    assert read_torch(tmp_path / "x.pt", classes=[argparse.Namespace])["config"].lr == 0.1
    with pytest.raises(DataError, match="Namespace"):  # allowed for that one call
        read_torch(tmp_path / "x.pt")


def test_other_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"x\.pt: no such file"):
        read_torch(tmp_path / "x.pt")
    torch.save(torch.randn(1000), tmp_path / "x.pt")
    whole = (tmp_path / "x.pt").read_bytes()
    for content in (b"", b"hello", b"PK\x03\x04hello", whole[:2000], whole[:-30]):
        (tmp_path / "x.pt").write_bytes(content)
        with pytest.raises(DataError, match=r"x\.pt: not a whole file of torch\.save"):
            read_torch(tmp_path / "x.pt")


def test_the_old_form_is_refused_where_it_is_too_large(tmp_path):
    torch.save(torch.randn(1000), tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    assert read_torch(tmp_path / "x.pt", most_bytes=10_000).shape == (1000,)
    with pytest.raises(DataError, match=r"torch before 1\.6, .*save it again with torch\.save"):
        read_torch(tmp_path / "x.pt", most_bytes=1000)
