"""Measure a model's latency and memory on the test split, and how they grow with the gallery."""

import argparse
import json
from pathlib import Path

from arguments import add_embeddings, reader, section
from polymatch.data.tables import write_table
from polymatch.deployment.benchmark import measure
from polymatch.deployment.growth import measure_growth
from polymatch.device import pick_device
from polymatch.errors import one_line_errors
from polymatch.files import written_atomically
from polymatch.settings.stages import BenchmarkSettings


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    add_embeddings(args)
    args.add_argument("--settings", type=section(BenchmarkSettings), required=True)
    args.add_argument("--weights", type=Path, required=True, help="model.safetensors of the run")
    args.add_argument("--kind", required=True, help="which similarity")
    args.add_argument("--device", default="auto")
    args.add_argument("--out", type=Path, required=True, help="JSON to write")
    args.add_argument("--growth", type=Path, required=True, help="CSV to write")
    given = args.parse_args()
    test = reader(given).retrieval_set("test", given.data.test_captions)
    what = (given.weights.parent, test, given.kind, given.settings, pick_device(given.device))
    record = measure(*what)
    # Afterwards: a process's peak memory never falls.
    write_table(measure_growth(*what), given.growth, "growth")
    with written_atomically(given.out) as path:
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with one_line_errors():
        main()
