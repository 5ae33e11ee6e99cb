"""docs/extending.md, followed to the letter: its files are written, its commands are run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from .conftest import CONFIG, ROOT, make_checkout

PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.M | re.S))
COMMANDS = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.M | re.S)

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("extending")]


def test_the_page_has_what_is_followed():
    assert len(FILES) == 7 and len(COMMANDS) == 3
    assert all("\n" in text for text in FILES.values())


def test_the_page_edits_nothing_that_is_there():
    assert not [name for name in FILES if (ROOT / name).exists()]


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A checkout of few clips in which everything on the page has been done."""
    checkout = make_checkout(tmp_path_factory.mktemp("extended"))
    shutil.copytree(ROOT / "tests", checkout.folder / "tests")
    shutil.copy(ROOT / "pyproject.toml", checkout.folder)
    few = {"seeds": [0], "teachers": {}, "models": {"aligned": {"family": "aligned"}}}
    all_of_them = CONFIG["deployment"] | {"models": None}
    checkout.write_config(
        {**CONFIG, **few, "pictures": {"models": ["aligned"]}, "deployment": all_of_them}
    )
    for name, text in FILES.items():
        path = checkout.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    folder = Path(sys.executable).parent
    checkout.done = [
        subprocess.run(
            ["bash", "-euc", command],
            cwd=checkout.folder,
            env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in COMMANDS
    ]
    return checkout


def test_its_commands_work(extended):
    for done in extended.done:
        assert done.returncode == 0, done.stdout[-4000:]
    assert "1 passed" in extended.done[-1].stdout


def test_the_new_head_and_the_new_loss_have_rows_and_the_metric_has_columns(extended):
    summary = pd.read_csv(extended.folder / "results/summary.csv").set_index("model")
    assert set(summary.index) == {"aligned", "transformer", "mlp_focal"}
    for direction in ("t2v", "v2t"):
        gain = summary[f"{direction}_gain"]
        assert gain.between(summary[f"{direction}_gain_lo"], summary[f"{direction}_gain_hi"]).all()
        assert (gain >= summary[f"{direction}_r1"]).all() and (gain <= 100).all()


def test_the_new_keys_are_described(extended):
    described = (extended.folder / "config/README.md").read_text(encoding="utf-8")
    assert "tokens that a feature vector is spread over" in described
    assert "exponent; 0 is binary cross-entropy" in described


def test_a_misspelt_key_of_the_new_head_is_said_before_any_job(extended):
    models = yaml.safe_load(FILES["my_models.yaml"])["models"]
    models["transformer"]["head"]["token"] = 3
    path = extended.folder / "bad.yaml"
    path.write_text(yaml.safe_dump({"models": models}))
    done = extended.run("-n", "--configfile", "config/config.yaml", "bad.yaml")
    assert done.returncode != 0
    assert "models.transformer.head.token: unknown key 'token'; did you mean" in done.stdout
