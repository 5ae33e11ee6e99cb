"""Settings of the whole test run, and the browser that its pages are opened in."""

import shutil

import hypothesis
import pytest
import torch

# A busy machine is no failure; examples are drawn the same way every time.
hypothesis.settings.register_profile("polymatch", deadline=None, derandomize=True)
hypothesis.settings.load_profile("polymatch")

torch.set_num_threads(1)

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "microsoft-edge",
)


@pytest.fixture(autouse=True)
def one_thread():
    """Sums over several threads have other last bits: no test hands its number on to the next."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def browser():
    """Chromium, or Chrome under one of its names."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium or Chrome is installed; `make browser` installs one on Debian")
    with api.sync_playwright() as playwright:
        # As root it runs without a sandbox or not at all; its pages are this project's own.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()
