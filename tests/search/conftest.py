"""One data set with runs for all tests of this folder."""

import pytest

from .small_runs import make_runs, opened


class Runs:
    """Where the runs are, and each by its name."""

    def __init__(self, results):
        self.results = results
        self.config = make_runs(results)

    def __call__(self, name):
        return opened(self.config, self.results, name)


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("search") / "results")
