"""Draw which rules the main job's outputs come from, as Snakemake itself has them."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.errors import DataError, one_line_errors
from polymatch.reporting.figures import save_figure
from polymatch.reporting.rule_figure import rule_figure
from polymatch.reporting.rule_graph import rule_edges


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--python", type=Path, required=True, help="that has Snakemake")
    args.add_argument("--snakefile", type=Path, required=True)
    args.add_argument("--order", nargs="+", required=True, help="of the rules, as they are written")
    args.add_argument("--config", required=True, help="whole configuration, JSON")
    args.add_argument(
        "--out", type=Path, nargs="+", required=True, help="by suffix: pdf, svg, png, csv"
    )
    given = args.parse_args()
    # Within a container its own has Snakemake too.
    python = given.python if given.python.exists() else sys.executable
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as config:
        config.write(given.config)
        config.flush()
        # No profile, which could send it elsewhere. Printing a graph takes no lock.
        plain = ["--profile", "none", "--workflow-profile", "none"]
        files = ["--snakefile", str(given.snakefile), "--configfile", config.name]
        done = subprocess.run(
            [str(python), "-m", "snakemake", *plain, *files, "--rulegraph", "--", "all"],
            stdout=subprocess.PIPE,
            text=True,
        )
    if done.returncode:
        raise DataError("snakemake --rulegraph failed; what it said stands above")
    edges = rule_edges(done.stdout, given.order)
    save_figure(rule_figure(edges), given.out, edges, "rulegraph")


if __name__ == "__main__":
    with one_line_errors():
        main()
