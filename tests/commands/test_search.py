"""The command `search`: what it prints, draws and refuses."""

import json

import pytest
import yaml
from PIL import Image

from polymatch.commands import main
from tests.search.small_runs import CONFIG, EMOJI, make_runs


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    make_runs(folder / "results")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    return folder


@pytest.fixture
def search(place, capsys):
    """Run the command: its status, and what it says on both streams."""

    def run(*arguments):
        options = ["--configfile", place / "config.yaml", "--results", place / "results"]
        status = main(["search", *map(str, arguments), *map(str, options), "--device", "cpu"])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_a_text_finds_items(search):
    status, out, _ = search("poly", "keycap: 5", "-k", 3)
    assert status == 0
    first, *lines = out.splitlines()
    assert first.startswith("keycap: 5: poly/0 by poly, 12 candidates of test, query ± ")
    assert len(lines) == 3 and lines[0].startswith("   1 ") and " ± " in lines[0]
    assert "resources/emoji/images/" in lines[0]


def test_json_is_all_that_is_printed(search):
    _, out, _ = search("mlp/1", "keycap: 5", "-k", 50, "--json")
    record = json.loads(out)
    assert record["run"] == "mlp/1" and record["similarity"] == "cosine"
    assert record["asked"] == 50 and record["candidates"] == len(record["hits"]) == 12
    assert [hit["rank"] for hit in record["hits"]] == list(range(1, 13))
    assert set(record["hits"][0]) == {
        "rank", "id", "score", "uncertainty", "text", "path", "right"
    }  # fmt: skip
    assert record["index"] is None and record["uncertainty"] is None


def test_more_than_there_are(search):
    status, out, err = search("mlp", "red", "-k", 13)
    assert status == 0 and len(out.splitlines()) == 13
    assert "note: 13 answers asked for, there are 12" in err


def test_a_known_caption_and_item(search):
    _, out, _ = search("aligned", "red", "--json")
    item = json.loads(out)["hits"][0]["id"]
    _, out, _ = search("aligned", "--item", item, "--json")
    record = json.loads(out)
    assert record["right"] and record["hits"][0]["text"]
    _, out, _ = search("aligned", "--caption", record["right"][0], "-k", 12, "--json")
    right = [hit["id"] for hit in json.loads(out)["hits"] if hit["right"]]
    assert item in right


def test_words_that_are_unknown_are_said(search):
    _, _, err = search("sgr", "zyzzyva", "-k", 1)
    assert "note: 'zyzzyva' is none of the run's words, and reads as <unk>" in err


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_a_sheet(search, tmp_path, suffix):
    sheet = tmp_path / f"found.{suffix}"
    status, _, _ = search("poly", "costs $5 or $6", "-k", 7, "--sheet", sheet)
    assert status == 0 and sheet.stat().st_size > 5000
    if suffix == "png":
        wide, tall = Image.open(sheet).size
        assert wide > 1000 and 700 < tall < wide


def test_a_sheet_of_captions(search, tmp_path):
    picture = next((EMOJI / "images").glob("*.webp"))
    sheet = tmp_path / "captions.png"
    status, out, _ = search("mlp", "--file", picture, "-k", 5, "--sheet", sheet)
    assert status == 0 and len(out.splitlines()) == 6
    assert Image.open(sheet).size[0] > 1000


def test_candidates_of_an_index(search):
    status, _, err = search("mlp", "red", "--ann", "--json", "--candidates", 5)
    assert status == 0 and "mlp/0, cosine: flat index of 12 items, 5 candidates a query" in err
    _, out, err = search("mlp", "red", "--ann", "--candidates", 5)
    assert "recall@10" in out and "recall@10" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mlp"], "0 queries given; give one: a text, --file PATH, --item ID or --caption ID"),
        (
            ["mlp", "red", "--item", "x"],
            "2 queries given; give one: a text, --file PATH, --item ID or --caption ID",
        ),
        (["mlp", ""], "the query is empty; say what to look for"),
        (["mlp", "red", "--sheet", "a.gif"], "--sheet a.gif: a sheet is drawn as .png, .pdf, .svg"),
        (["mlp", "red", "--candidates", 5], "--candidates goes with --ann, and is 1 or more"),
        (
            ["mlp", "--item", "x", "--ann"],
            "--ann is for queries that find items: a text, or --caption ID",
        ),
        (["mlp", "red", "-k", "0"], "k is 0; ask for 1 answer or more"),
        (
            ["mlp", "red", "--configfile", "none.yaml"],
            "none.yaml: no such configuration; name it with --configfile",
        ),
    ],
)
def test_mistakes_are_one_line_and_status_2(search, arguments, message):
    status, out, err = search(*arguments)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == f"polymatch search: {message}"
