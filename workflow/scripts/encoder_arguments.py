"""How the scripts that run encoders load them; apart, since no other stage depends on encoders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from arguments import DataSettings  # noqa: F401  (makes the library importable)
from polymatch.settings.encoder import Side


def add_loading(to: argparse.ArgumentParser) -> None:
    """Add how an encoder is loaded, and which share of the work is done."""
    to.add_argument("--device", default="auto")
    to.add_argument("--download", action="store_true", help="fetch weights that are not there")
    to.add_argument("--data-root", type=Path, default=Path("resources"), help="where they lie")
    to.add_argument("--shard", type=int, default=0, help="which share, counted from 0")
    to.add_argument("--shards", type=int, default=1)


def loaded(args: argparse.Namespace, side: Side) -> Any:
    """Load the encoder of a side; of the arguments of :func:`add_loading` and ``--encoder``."""
    # Here: it takes seconds, and word2vec needs no network.
    from polymatch.encoders import LoadOptions, load_encoder

    settings = args.encoder.side(side)
    options = LoadOptions(
        settings.model, settings.revision, args.encoder.precision, args.download, args.data_root
    )
    return load_encoder(settings.module, args.device, options)
