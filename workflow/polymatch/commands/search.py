"""Search a trained run's gallery: a text finds items, a picture or a clip finds captions.

  polymatch search poly_domain_5 "a red flower" --sheet found.png
  polymatch search mlp/1 --file clip.mp4 -k 5 --json

RUN is MODEL (of its first seed), MODEL/SEED or the folder of a run. Scores are those of the run's
similarity matrix; the figure behind ± is the mean variance of the answer's Gaussian.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polymatch.commands import DEFAULT_CONFIG, add_config
from polymatch.errors import ConfigError

if TYPE_CHECKING:
    from polymatch.search.engine import SearchEngine
    from polymatch.search.hits import Answers, Hit

_SHEETS = (".png", ".pdf", ".svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is searched, with what, and how it is shown."""
    parser.add_argument("run", metavar="RUN", help="MODEL, MODEL/SEED or the folder of a run")
    parser.add_argument("text", nargs="?", help="what to look for")
    parser.add_argument("--file", type=Path, help="ask with a picture or a clip, for captions")
    parser.add_argument("--item", metavar="ID", help="ask with an item of the data set, likewise")
    parser.add_argument("--caption", metavar="ID", help="ask with a caption of the data set")
    parser.add_argument("-k", type=int, default=10, help="how many answers (10)")
    parser.add_argument(
        "--gallery",
        default="test",
        help="test (the default), val, train, all, or PATH.h5: features of other items",
    )
    parser.add_argument("--similarity", metavar="KIND", help="of those that the run is scored by")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="also draw a .png, .pdf or .svg")
    parser.add_argument("--ann", action="store_true", help="look at an index's candidates only")
    parser.add_argument("--candidates", type=int, help="of the index, scored again for each query")
    parser.add_argument("--truncate", action="store_true", help="cut off a text that is too long")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto")
    add_config(parser)


def run(args: argparse.Namespace) -> None:
    """Answer one query."""
    _check(args)
    # What encoders say of themselves is not the answer.
    with redirect_stdout(sys.stderr):
        engine, answers = _asked(args)
    if args.json:
        print(json.dumps(_record(engine, answers), indent=1, ensure_ascii=False))
    else:
        print("\n".join(_lines(engine, answers)))
    if args.sheet:
        _draw(args, engine, answers)


def _check(args: argparse.Namespace) -> None:
    asked = [args.text is not None, args.file is not None, bool(args.item), bool(args.caption)]
    if sum(asked) != 1:
        raise ConfigError(
            f"{sum(asked)} queries given; give one: a text, --file PATH, --item ID or --caption ID"
        )
    if args.sheet and args.sheet.suffix not in _SHEETS:
        raise ConfigError(f"--sheet {args.sheet}: a sheet is drawn as {', '.join(_SHEETS)}")
    if args.candidates is not None and (args.candidates < 1 or not args.ann):
        raise ConfigError("--candidates goes with --ann, and is 1 or more")
    if args.ann and (args.file or args.item):
        raise ConfigError("--ann is for queries that find items: a text, or --caption ID")


def _asked(args: argparse.Namespace) -> tuple[SearchEngine, Answers]:
    from polymatch.search.run import TrainedRun
    from polymatch.settings.read import read_config

    config = read_config(args.configfile or [DEFAULT_CONFIG])
    trained = TrainedRun.open(config, args.run, args.results)
    from polymatch.search.engine import SearchEngine  # a misspelt run is said without torch

    engine = SearchEngine.open(
        trained,
        args.gallery,
        args.similarity,
        args.device,
        args.ann,
        args.candidates,
        args.truncate,
    )
    if args.file is not None:
        return engine, engine.by_file(args.file, args.k)
    if args.item:
        return engine, engine.by_item(args.item, args.k)
    if args.caption:
        return engine, engine.by_caption(args.caption, args.k)
    answers = engine.by_text(args.text, args.k)
    for word in engine.questions.unknown_words(args.text):
        print(f"note: {word!r} is none of the run's words, and reads as <unk>", file=sys.stderr)
    return engine, answers


def _about(engine: SearchEngine, answers: Answers) -> str:
    how = "" if engine.index is None else f", {engine.index.found.described()}"
    own = "" if answers.uncertainty is None else f", query ± {answers.uncertainty:.3g}"
    what = f"{answers.candidates:,} candidates of {engine.gallery.name}"
    return f"{engine.run.name} by {engine.kind}, {what}{own}{how}"


def _lines(engine: SearchEngine, answers: Answers) -> list[str]:
    if answers.asked > len(answers):
        few = f"note: {answers.asked} answers asked for, there are {len(answers)}"
        print(few, file=sys.stderr)
    wide = max(map(len, (hit.id for hit in answers)), default=0)
    return [f"{answers.query}: {_about(engine, answers)}", *(_line(hit, wide) for hit in answers)]


def _line(hit: Hit, wide: int) -> str:
    unsure = "" if hit.uncertainty is None else f" ± {hit.uncertainty:<8.3g}"
    mark = "*" if hit.right else " "
    where = "" if hit.path is None else f"  ({hit.path})"
    return (
        f"{hit.rank:4d} {mark} {hit.id:<{wide}}  {hit.score:10.6g}{unsure}  {hit.text or ''}{where}"
    )


def _record(engine: SearchEngine, answers: Answers) -> dict[str, Any]:
    found = None if engine.index is None else asdict(engine.index.found)
    hits = [asdict(hit) for hit in answers]
    for hit in hits:
        hit["path"] = None if hit["path"] is None else str(hit["path"])
    return {
        "run": engine.run.name,
        "similarity": engine.kind,
        "gallery": engine.gallery.name,
        "query": answers.query,
        "asked": answers.asked,
        "candidates": answers.candidates,
        "uncertainty": answers.uncertainty,
        "right": list(answers.right),
        "index": found,
        "hits": hits,
    }


def _draw(args: argparse.Namespace, engine: SearchEngine, answers: Answers) -> None:
    from polymatch.reporting.figures import save_figure
    from polymatch.reporting.search_sheet import search_sheet

    asked = args.file
    if args.item:
        asked = engine.sides.files.get(args.item)
    title = answers.query
    if args.caption and engine.gallery.captions is not None:
        captions = engine.gallery.captions.set_index("caption_id")["text"]
        title = captions.get(args.caption, args.caption)
    save_figure(search_sheet(answers, title, _about(engine, answers), asked), [args.sheet])
