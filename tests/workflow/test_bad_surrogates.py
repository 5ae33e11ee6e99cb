"""What scripts say, in one line, about a teacher or a surrogate that is wrong."""

import json
import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polymatch.data.features import write_features
from polymatch.data.tables import write_table
from polymatch.surrogate import Teacher, build_teacher

SCRIPTS = Path(__file__).parents[2] / "workflow/scripts"


@pytest.fixture
def says(monkeypatch):
    """Run a script as its rule does; returns the line that it ends with."""
    monkeypatch.syspath_prepend(str(SCRIPTS))

    def says(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            runpy.run_path(str(SCRIPTS / name), run_name="__main__")
        line = str(caught.value.code)
        assert "\n" not in line
        return line

    return says


def teacher(pairs=100, width=6):
    return build_teacher(np.eye(width), np.eye(width), source="domain", pairs=pairs, progress=False)


def constant(column):
    def change(whole: Teacher) -> Teacher:
        return replace(whole, **{column: np.full(len(whole), 0.25)})

    return change


def not_a_number(whole: Teacher) -> Teacher:
    ed = whole.ed.copy()
    ed[7] = np.nan
    return replace(whole, ed=ed)


@pytest.mark.parametrize(
    ("change", "degree", "message"),
    [
        (lambda whole: whole, 0, r"surrogate: degree 0 is not one of 1 to 10"),
        (lambda whole: whole, 11, r"surrogate: degree 11 is not one of 1 to 10"),
        (lambda whole: teacher(27), 6, r"27 usable points for the 28 terms of degree 6; give more"),
        (constant("ed"), 3, r"ed is 0\.25 at all 100 points; a constant column cannot be fitted"),
        (constant("vd"), 3, r"vd is 0\.25 at all 100 points; a constant column cannot be fitted"),
        (not_a_number, 3, r"ed is nan at point 7 \(1 such\); the teacher must be finite"),
    ],
)
def test_a_fit_that_cannot_be_names_the_teacher_and_the_reason(
    says, tmp_path, change, degree, message
):
    path, out = tmp_path / "t.parquet", tmp_path / "s.json"
    change(teacher()).save(path)
    line = says(
        "fit_surrogate.py", "--teacher", path, "--degree", degree, "--alpha", 1e-3, "--out", out
    )
    assert re.match(rf"NumericsError: {re.escape(str(path))}: .*{message}", line), line
    assert not out.exists()


def test_a_surrogate_of_another_width_than_the_head_stops_before_training(says, tmp_path):
    rng = np.random.default_rng(0)
    names = [f"i{n}" for n in range(12)]
    splits = ["train"] * 6 + ["val"] * 3 + ["test"] * 3
    items = pd.DataFrame({"item_id": names, "path": names, "n_frames": 1, "group_id": names})
    write_table(items.assign(split=splits), tmp_path / "manifest.parquet", "manifest")
    texts = pd.DataFrame({"caption_id": names, "item_id": names, "text": names, "kind": "name"})
    write_table(texts.assign(language="en"), tmp_path / "captions.parquet", "captions")
    provenance = dict.fromkeys(("encoder", "revision", "preprocessing", "command"), "none")
    for side in ("items", "captions"):
        features = rng.normal(size=(12, 8)).astype(np.float32)
        attributes = {**provenance, "dataset": "emoji"}
        write_features(tmp_path / f"{side}.h5", names, features, attributes=attributes)
    teacher(width=6).fit(2).save(tmp_path / "surrogate.json")
    entry = {
        "family": "probabilistic",
        "loss": "poly",
        "similarities": ["poly"],
        "teacher": "domain",
        "hidden": 4,
    }
    line = says(
        "train.py",
        *("--data", "{}", "--model", json.dumps(entry), "--seed", 0, "--name", "poly"),
        *("--surrogate", tmp_path / "surrogate.json", "--device", "cpu"),
        *("--manifest", tmp_path / "manifest.parquet"),
        *("--captions", tmp_path / "captions.parquet"),
        *("--items", tmp_path / "items.h5", "--embedded-captions", tmp_path / "captions.h5"),
        *("--history", tmp_path / "run/history.csv"),
    )
    message = r"NumericsError: surrogate: fitted for embeddings of width 6 but used on width 8; .*"
    assert re.match(message, line), line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "weights", "message"),
    [
        ({"source": "pcme", "model": "m"}, [], "2"),
        ({"source": "fixed"}, ["--weights", "model.safetensors"], "2"),
    ],
)
def test_a_teacher_and_the_run_that_it_is_made_from_go_together(
    says, capsys, settings, weights, message
):
    tables = [f"--{name}" for name in ("manifest", "captions", "items", "embedded-captions")]
    files = [part for table in tables for part in (table, "none")]
    line = says(
        "build_teacher.py",
        *("--data", "{}", "--settings", json.dumps(settings), "--out", "t", *files, *weights),
    )
    assert line == message
    assert "--weights is for teachers of source pcme, and they need it" in capsys.readouterr().err
