"""Draw R@K over K and the histogram of ranks of all models, in one job for all their runs."""

import argparse
from collections import defaultdict
from pathlib import Path

import arguments
from polymatch.errors import one_line_errors
from polymatch.evaluation import RetrievalRanks
from polymatch.reporting.figures import save_figure
from polymatch.reporting.rank_curves import of_all_models
from polymatch.reporting.rank_figure import rank_histograms, recall_curves
from polymatch.settings.stages import EvaluationSettings


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument(
        "--evaluation", type=arguments.section(EvaluationSettings), required=True, help="JSON"
    )
    args.add_argument(
        "--ranks", type=Path, nargs="+", required=True, help="<model>/<seed>/<kind>.ranks.parquet"
    )
    args.add_argument("--curves", type=Path, nargs="+", required=True, help="pdf, svg, png, csv")
    args.add_argument("--histograms", type=Path, nargs="+", required=True, help="likewise")
    given = args.parse_args()
    runs = defaultdict(list)
    for path in given.ranks:
        key = (path.parents[1].name, path.name.split(".")[0])
        runs[key].append(RetrievalRanks.load(path))
    settings = given.evaluation
    curves, histograms = of_all_models(runs, settings.resamples, settings.seed)
    save_figure(recall_curves(curves), given.curves, curves, "recall_curves")
    save_figure(rank_histograms(histograms), given.histograms, histograms, "rank_histograms")


if __name__ == "__main__":
    with one_line_errors():
        main()
