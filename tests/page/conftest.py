"""Tabs of a browser that may reach nothing, and the page of a small workflow."""

import contextlib
import copy
from pathlib import Path

import pytest

from ..workflow.conftest import CONFIG, make_checkout

MODELS = ("aligned", "pcme", "poly_{teacher}", "cross_modal", "align")


class Tab:
    """A page in the browser, with all that it complained about and asked for."""

    def __init__(self, page):
        self.page, self.complaints, self.requests = page, [], []
        page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def open(self, path, address=""):
        self.page.goto(f"{Path(path).as_uri()}{address}")
        self.page.wait_for_selector("html[data-ready]")
        return self.page

    def check(self):
        """Nothing went wrong, and nothing but the file and what is in it was read."""
        assert self.complaints == []
        outside = [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]
        assert outside == []


@pytest.fixture
def tab(browser):
    """Opens a tab of a size and theme: ``with tab(width=390) as t: t.open(path)``."""

    @contextlib.contextmanager
    def opened(width=1280, height=900, **options):
        size = {"width": width, "height": height}
        context = browser.new_context(viewport=size, **options)
        page = Tab(context.new_page())
        yield page
        page.check()
        context.close()

    return opened


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """The page of a small workflow that has run, with a sweep that was made before."""
    checkout = make_checkout(tmp_path_factory.mktemp("page"))
    config = copy.deepcopy(CONFIG)
    config["models"] = {name: config["models"][name] for name in MODELS}
    config["seeds"], config["teachers"]["trained"]["run_seed"] = [0], 0
    config["deployment"]["models"] = ["aligned"]
    config["pictures"]["models"] = ["aligned", "poly_domain"]
    config["sweeps"] = {"tau": {"model": "poly_domain", "grid": {"tau": [0.05, 0.2]}}}
    del config["words"], config["tags"]
    checkout.write_config(config)
    for target in ("sweeps", "all"):
        done = checkout.run(target)
        assert done.returncode == 0, done.stdout[-4000:]
    return checkout.folder / "results/report.html"
