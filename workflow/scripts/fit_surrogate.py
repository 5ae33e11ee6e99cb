"""Fit the polynomial surrogate of a teacher."""

import argparse
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.errors import NumericsError, one_line_errors
from polymatch.surrogate import Teacher


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--teacher", type=Path, required=True)
    args.add_argument("--degree", type=int, required=True)
    args.add_argument("--alpha", type=float, required=True)
    args.add_argument("--published", action="store_true", help="raw features, clipped logits")
    args.add_argument("--out", type=Path, required=True)
    given = args.parse_args()
    teacher = Teacher.load(given.teacher)
    try:
        surrogate = teacher.fit(given.degree, given.alpha, given.published)
    except NumericsError as error:
        raise NumericsError(f"{given.teacher}: {error}") from error
    surrogate.save(given.out)


if __name__ == "__main__":
    with one_line_errors():
        main()
