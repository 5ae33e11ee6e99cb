"""The parts of a checkpoint through transformers: network, tokeniser and image processor.

Only files of the folder are read: no hub is asked, no code of a model runs, no pickle is opened.
Weights that a file lacks would be drawn at random by transformers; here they are an error.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from polymatch.encoders.networks.quiet import quiet
from polymatch.errors import ConfigError, DataError

_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_VOCABULARIES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.json",
    "vocab.txt",
)


def model_kind(folder: Path) -> str:
    """What the config calls the kind of model: its ``model_type``.

    Raises:
        DataError: there is no config, or it names none.
    """
    path = folder / "config.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["model_type"])
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; is {folder} a model of transformers?") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: no config of a model ({error!r}); fetch it again") from error


def check_kind(encoder: str, folder: Path, kind: str, taken: Collection[str]) -> None:
    """Refuse a model of a kind that an encoder cannot run.

    Raises:
        ConfigError: names the folder, its kind and those that are taken.
    """
    if kind not in taken:
        raise ConfigError(
            f"encoder {encoder}: {folder} is a model of kind {kind!r}, not one of "
            f"{', '.join(sorted(taken))}"
        )


def load_network(folder: Path, dtype: torch.dtype, device: torch.device, **options: Any) -> Any:
    """The network with its weights, frozen, on ``device``.

    Raises:
        DataError: weights are damaged, missing, or of other shapes than the config says.
    """
    from safetensors import SafetensorError
    from transformers import AutoModel

    try:
        with quiet():
            network, report = AutoModel.from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                output_loading_info=True,
                **_LOCAL,
                **options,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise DataError(f"{folder}: the network cannot be read ({_line(error)})") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise DataError(
            f"{folder}: {len(missing)} weights of {type(network).__name__} are missing "
            f"({missing[0]}, ...); the files are not those of the whole model"
        )
    return network.eval().requires_grad_(False).to(device)


def load_tokenizer(folder: Path) -> Any:
    """The tokeniser of a folder.

    Raises:
        ConfigError: it needs a package that is not installed.
        DataError: its files are missing or cannot be read.
    """
    from transformers import AutoTokenizer

    # without its files, transformers 5 gives a tokeniser of five tokens and no word of warning
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        raise DataError(f"{folder}: no tokenizer.json nor another vocabulary of a tokeniser")
    try:
        with quiet():
            return AutoTokenizer.from_pretrained(folder, **_LOCAL)
    except ImportError as error:
        raise ConfigError(
            f"{folder}: its tokeniser needs a package that is not installed ({_line(error)}); "
            "run with --sdm conda, or install what envs/transformers.yaml names"
        ) from error
    except Exception as error:  # tokenizers raises bare exceptions
        raise DataError(f"{folder}: the tokeniser cannot be read ({_line(error)})") from error


def load_image_processor(folder: Path) -> Any:
    """The image processor of a folder, by Pillow; torchvision is not needed.

    Raises:
        DataError: its file is missing or cannot be read.
    """
    from transformers import AutoImageProcessor

    if not (folder / "preprocessor_config.json").is_file():
        raise DataError(f"{folder / 'preprocessor_config.json'}: no such file")
    try:
        with quiet():
            return AutoImageProcessor.from_pretrained(folder, backend="pil", **_LOCAL)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise DataError(f"{folder}: the image processor cannot be read ({_line(error)})") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
