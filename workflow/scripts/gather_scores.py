"""Put a similarity matrix together that was scored in shards."""

import argparse
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.errors import one_line_errors
from polymatch.files import written_atomically
from polymatch.training.shards import gather_scores


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("shards", type=Path, nargs="+", help=".npy each, in order")
    args.add_argument("--out", type=Path, required=True)
    given = args.parse_args()
    with written_atomically(given.out) as path:
        gather_scores(given.shards, path)


if __name__ == "__main__":
    with one_line_errors():
        main()
