"""Search a study's settings: run its missing trials, then write the best entry and the table.

The same command with --worker, here or on another machine that sees the storage, helps along.
"""

import os
import shlex
import sys
from pathlib import Path

import torch

from arguments import add_embeddings, add_taught, parser, reader, section
from polymatch.data.tables import write_table
from polymatch.device import pick_device
from polymatch.errors import one_line_errors
from polymatch.files import written_atomically
from polymatch.reporting.tuning import best_entry, trials_table
from polymatch.settings.tuning import TuningSettings
from polymatch.training.study import data_identity, open_study
from polymatch.training.tuning import Objective, work
from polymatch.training.workers import run_workers, stop_quietly


def main() -> None:
    args = parser(__doc__)
    add_embeddings(args)
    add_taught(args)
    args.add_argument("--settings", type=section(TuningSettings), required=True, help="JSON")
    args.add_argument("--name", required=True, help="name of the study's file, without .yaml")
    args.add_argument("--folder", type=Path, required=True, help="for best.yaml and trials.csv")
    args.add_argument("--device", default="auto")
    args.add_argument(
        "--worker", type=int, nargs="?", const=0, metavar="PARENT", help="only run trials"
    )
    args.add_argument("--gather", action="store_true", help="run no trial: others did")
    given = args.parse_args()
    settings, splits = given.settings, reader(given)
    study = open_study(settings, given.name, given.folder, data_identity(given.data, splits))
    workers = min(settings.workers, given.threads) if given.worker is None else 1
    if workers > 1:
        command = [sys.executable, *sys.argv, "--threads", str(given.threads // workers)]
        print(f"a further worker: {shlex.join([*command, '--worker'])}", flush=True)
        run_workers(workers, [*command, "--worker", str(os.getpid())])
    elif not given.gather:
        torch.set_num_threads(given.threads)
        device = pick_device(given.device)
        objective = Objective.read(settings, given.data, splits, device, given.word_vectors)
        work(study, settings, objective, given.worker or 0)
    if given.worker is None:
        write_table(trials_table(study, settings), given.folder / "trials.csv", "trials")
        with written_atomically(given.folder / "best.yaml") as path:
            path.write_text(best_entry(given.name, settings, study), encoding="utf-8")


if __name__ == "__main__":
    with one_line_errors(), stop_quietly("the same command goes on where this stopped"):
        main()
