"""Serve a page on which runs are searched: by texts, pictures and clips, with the true answers.

  polymatch serve poly_domain_5
  polymatch serve pcme/1 aligned --port 0

RUN is MODEL (of its first seed), MODEL/SEED or the folder of a run; the page switches between
several. It is for this machine alone: there is no password, and nothing is encrypted. Ctrl-C stops.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout, suppress
from typing import TYPE_CHECKING

from polymatch.commands import DEFAULT_CONFIG, add_config
from polymatch.errors import ConfigError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from polymatch.serving.limits import Limits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is served, and where."""
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (8000)")
    parser.add_argument(
        "--allow-network",
        action="store_true",
        help="let other machines in, with a --host that they reach; everyone there can search",
    )
    parser.add_argument("--gallery", default="test", help="test, val, train or all (test)")
    parser.add_argument(
        "--similarity", nargs="+", metavar="KIND", help="one for every run, or one for each"
    )
    parser.add_argument("--ann", action="store_true", help="look at an index's candidates only")
    parser.add_argument("--candidates", type=int, help="of the index, scored again for each query")
    parser.add_argument("--upload-mb", type=int, default=64, help="largest file that is taken (64)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto")
    add_config(parser)


def run(args: argparse.Namespace) -> None:
    """Open the runs, then answer until it is stopped."""
    from polymatch.serving.server import address_of, is_loopback, listening, serve

    local = is_loopback(args.host)
    if not local and not args.allow_network:
        raise ConfigError(
            f"--host {args.host}: other machines would reach this page, which asks nobody for a "
            "password; say --allow-network if they may"
        )
    kinds = args.similarity or [None]
    if len(kinds) not in (1, len(args.runs)):
        raise ConfigError(
            f"--similarity: {len(kinds)} kinds for {len(args.runs)} runs; give one, or one for each"
        )
    if args.upload_mb < 1:
        raise ConfigError(f"--upload-mb {args.upload_mb}: a size of 1 or more")
    # A taken port is said before the runs are opened, which takes seconds. Ctrl-C is no error, and
    # raised again once the server has ended.
    with suppress(KeyboardInterrupt), listening(args.host, args.port) as listener:
        app, limits = _opened(args, kinds, local)
        if not local:
            print(
                f"warning: everyone who reaches {args.host} can search here, see the data set's "
                "pictures and send files; there is no password, and nothing is encrypted",
                file=sys.stderr,
            )
        said = f"{', '.join(args.runs)}: {address_of(listener)} (Ctrl-C stops)"
        serve(app, listener, limits, lambda: print(said, flush=True))


def _opened(
    args: argparse.Namespace, kinds: list[str | None], local: bool
) -> tuple[ASGIApp, Limits]:
    from polymatch.data.tables import read_table
    from polymatch.search.engine import SearchEngine
    from polymatch.search.run import TrainedRun
    from polymatch.serving.app import create_app
    from polymatch.serving.limits import Limits
    from polymatch.serving.media import Media
    from polymatch.serving.server import own_names
    from polymatch.settings.read import read_config

    config = read_config(args.configfile or [DEFAULT_CONFIG])
    runs = [TrainedRun.open(config, name, args.results) for name in args.runs]
    of_each = kinds if len(kinds) == len(runs) else kinds * len(runs)
    with redirect_stdout(sys.stderr):
        engines = [
            SearchEngine.open(run, args.gallery, kind, args.device, args.ann, args.candidates)
            for run, kind in zip(runs, of_each, strict=True)
        ]
    limits = Limits(upload=args.upload_mb << 20)
    media = Media.of(runs[0].root, read_table(runs[0].manifest, "manifest"))
    names = [] if local else own_names(args.host)
    return create_app(engines, media, limits, names=names, network=not local), limits
