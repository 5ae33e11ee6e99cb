"""ImageBind's weights: where they come from, whether they are the right ones, and their network.

The network is the original package's own (`imagebind`, in an environment of its own). Weights are
read with ``weights_only=True``; others than the published ones may lie beside a JSON file of the
same name with the keyword arguments of ``ImageBindModel``.

What the package has beside pictures, texts and sounds (depth, thermal, motion) is dropped after
loading: 0.5 GB that nothing here uses.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from polymatch.data.remote import RemoteFile
from polymatch.data.torch_files import read_torch
from polymatch.encoders.base import LoadOptions
from polymatch.errors import ConfigError, DataError

WEIGHTS = RemoteFile(
    name="imagebind/imagebind_huge.pth",
    urls=("https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth",),
    bytes=4_803_584_173,
    sha256="d6f6c22bedcc90708448d5d2fbb7b2db9c73f505dc89bd0b2e09b23af1b62157",
    about="weights of ImageBind (huge)",
    licence="CC-BY-NC-SA-4.0",
)
USED = ("vision", "text", "audio")


def package(name: str) -> Any:
    """A module of the original package, without the deprecation warnings of what it imports.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(name)


def find_weights(options: LoadOptions) -> tuple[Path, str]:
    """The file of weights and its SHA-256.

    It is ``options.model``, or the published one, which is fetched where that is allowed.

    Raises:
        ConfigError: a ``revision`` is given, which only models of the hub have.
        DataError: no such file, and how to get it; or it is not the published one.
    """
    if options.revision is not None:
        raise ConfigError(
            f"encoder: imagebind has no revisions (given: {options.revision!r}); take it out, and "
            "name other weights by their path in `model`"
        )
    if options.model is None and options.download:
        from polymatch.data.downloads import download

        # it has checked the SHA-256, which takes seconds for 5 GB
        return download(WEIGHTS, options.data_root), WEIGHTS.sha256 or ""
    path = Path(options.model) if options.model else options.data_root / WEIGHTS.name
    if not path.is_file():
        hint = (
            f"set `download` to true, or put {WEIGHTS.urls[0]} there ({WEIGHTS.bytes} bytes, "
            f"{WEIGHTS.licence})"
        )
        raise DataError(
            f"{path}: no weights of ImageBind there; "
            + ("correct `model`" if options.model else hint)
        )
    size = path.stat().st_size
    if options.model is None and size != WEIGHTS.bytes:
        raise DataError(f"{path}: {size} bytes, not {WEIGHTS.bytes}; {_AGAIN}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if options.model is None and found != WEIGHTS.sha256:
        raise DataError(f"{path}: SHA-256 is {found}, not the pinned {WEIGHTS.sha256}; {_AGAIN}")
    return path, found


def read_network(path: Path) -> Any:
    """``ImageBindModel`` with the weights of a file, on the CPU, ready to encode.

    Raises:
        ModuleNotFoundError: the package is not installed.
        DataError: the file is none of weights, they are not of this network, or its JSON is wrong.
    """
    model = package("imagebind.models.imagebind_model")
    shape = path.with_suffix(".json")
    if shape.is_file():
        try:
            network = model.ImageBindModel(**json.loads(shape.read_text(encoding="utf-8")))
        except (ValueError, TypeError, AssertionError) as error:
            raise DataError(
                f"{shape}: no keyword arguments of ImageBindModel: {_first_line(error)}"
            ) from error
    else:
        network = model.imagebind_huge(pretrained=False)
    try:
        network.load_state_dict(read_torch(path))
    except (RuntimeError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: not the weights of this network: {_first_line(error)}; name the right file, "
            f"or put the network's keyword arguments into {shape.name} beside it"
        ) from error
    for kind in ("preprocessors", "trunks", "heads", "postprocessors"):
        part = getattr(network, f"modality_{kind}")
        for modality in set(part) - set(USED):
            del part[modality]
    return network.eval().requires_grad_(False)


_AGAIN = "delete it and download it again, or name other weights in `model`"


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(lines[:2])[:200] or type(error).__name__
