"""The command `compare`: what it prints and writes, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from polymatch.commands import main
from polymatch.data.tables import read_table
from polymatch.reporting.comparison_text import printable
from tests.reporting.compared_examples import N, write_runs

LIBRARY = Path(__file__).parents[2] / "workflow"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("compare")
    write_runs(root)
    write_runs(root / "other", seeds=(0,))
    return root


@pytest.fixture
def compare(place, capsys):
    """Run the command: its status, and what it says on both streams."""

    def run(*arguments):
        options = ["--configfile", place / "config.yaml", "--results", place / "results"]
        status = main(["compare", *map(str, arguments), *map(str, options)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_a_table_on_the_terminal(compare):
    status, out, err = compare("strong", "weak", "--show", 3)
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[:3] == [
        "A: strong (mean, 2 seeds)",
        "B: weak (mean, 2 seeds)",
        f"on {N} items and {2 * N + 1} texts of test (own split, all captions)",
    ]
    assert lines[4].split()[:5] == ["metric", "A", "B", "A", "-"]
    assert [line.split()[0] for line in lines[5:8]] == ["rsum", "t2v_r1", "t2v_r5"]
    won = next(line for line in lines if line.startswith("won by A: "))
    lost = 3 if "lost to B: the most changed 3 of " in out else 1
    assert won.startswith("won by A: the most changed 3 of ")
    assert sum(line.startswith(("t2v ", "v2t ")) for line in lines) == 3 + lost


def test_json_holds_everything(compare):
    status, out, _ = compare("strong", "weak", "--json", "--similarity", "mc", "mean")
    found = json.loads(out)
    assert status == 0 and len(found["queries"]) == 3 * N + 1
    assert found["a"] == {"name": "strong (mc, 2 seeds)", "seeds": 2}
    assert found["tests"][0]["metric"] == "rsum" and found["leaderboard"] is None
    assert sum(found["counts"]["v2t"].values()) == N


def test_files_by_their_suffix(compare, tmp_path):
    files = [tmp_path / f"c.{suffix}" for suffix in ("csv", "md", "html")]
    options = [part for file in files for part in ("--out", file)]
    status, _, _ = compare("strong", "aligned", "--direction", "t2v", *options)
    assert status == 0
    table = read_table(files[0], "comparison")
    assert table["direction"].tolist() == ["t2v"] * (2 * N + 1)
    changed = (table["outcome"] != "same").sum()
    rows = [
        line for line in files[1].read_text().splitlines() if line.startswith(("| won", "| lost"))
    ]
    assert len(rows) == changed
    page = files[2].read_text()
    assert page.count('<tr class="') == changed and "strong (mean, 2 seeds)" in page


def test_captions_are_shown_and_not_obeyed(place, capsys, tmp_path):
    write_runs(tmp_path, first="</script><b>|\x1b[31m")
    out = [tmp_path / "c.md", tmp_path / "c.html"]
    options = ["--configfile", tmp_path / "config.yaml", "--results", tmp_path / "results"]
    arguments = ["compare", "strong", "weak", *options, "--out", out[0], "--out", out[1]]
    assert main(list(map(str, arguments))) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said and "</script><b>|\N{REPLACEMENT CHARACTER}[31m" in said
    assert "<b>" not in out[0].read_text() and "&lt;b>\\|" in out[0].read_text()
    assert "<b>" not in out[1].read_text() and "&lt;/script&gt;&lt;b&gt;|" in out[1].read_text()
    assert printable("a\tb") == "a\N{REPLACEMENT CHARACTER}b"


def test_two_configurations(compare, place):
    other = place / "other"
    there = ["--configfile-b", other / "config.yaml", "--results-b", other / "results"]
    status, out, _ = compare("strong", "strong", *there)
    assert status == 0
    assert out.splitlines()[:2] == ["A: strong (mean, 2 seeds)", "B: strong (mean)"]


def test_whoever_reads_may_stop(place):
    there = ["--configfile", place / "config.yaml", "--results", place / "results"]
    command = [sys.executable, "-m", "polymatch", "compare", "strong", "weak", "--json", *there]
    process = subprocess.Popen(
        list(map(str, command)), cwd=LIBRARY, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(30), said) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["strng", "weak"],
            "unknown run 'strng'; did you mean 'strong'? allowed: aligned, strong, ",
        ),
        (["strong", "weak/7"], "run 'weak/7': 'weak' has no seed '7'; it has 0, 1"),
        (
            ["strong", "weak", "--similarity", "mean", "mc"],
            "weak: unknown similarity 'mc'; allowed: mean",
        ),
        (
            ["strong", "weak", "--similarity", "a", "b", "c"],
            "--similarity takes one kind, or one of A and one of B; got ['a', 'b', 'c']",
        ),
        (["strong", "weak", "--show", "-1"], "--show -1: how many queries, from 0 up"),
        (
            ["strong", "weak", "--out", "c.xlsx"],
            "--out c.xlsx: a comparison is written as .csv, .md, .html",
        ),
    ],
)
def test_mistakes(compare, arguments, message):
    status, _, err = compare(*arguments)
    assert status == 2
    assert err.startswith(f"polymatch compare: {message}") and err.count("\n") == 1
