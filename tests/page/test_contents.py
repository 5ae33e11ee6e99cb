"""What the page shows of whole results: all of it, bounded, and nothing that is not there."""

import pytest

from polymatch.errors import ConfigError, DataError
from polymatch.reporting.page.contents import LONGEST, PageFiles, page_contents, shortened
from polymatch.reporting.page.credits import versions
from polymatch.reporting.page.document import page_html
from polymatch.settings.config import load_config
from polymatch.settings.credited import encoder_credit
from polymatch.settings.families import families
from polymatch.settings.offered import encoder_modules

from .results import config_of, shown, write_results

ITEMS = [f"item {row}" for row in range(12)]
TEXTS = [f"caption {row}" for row in range(24)]


def contents_of(folder, models=2, texts=TEXTS, items=ITEMS, pictures=16, **others):
    config = config_of(models, root=folder / "data", **others)
    results, space = write_results(folder, config, texts, items, pictures)
    return page_contents(config, PageFiles(results, space, folder / "no_store"))


def test_all_models_pairs_and_queries_are_there(tmp_path):
    found = contents_of(tmp_path, 2)
    assert [row[0] for row in found["board"]["rows"]] == ["aligned", "model_0", "model_1"]
    assert found["baseline"] == "aligned/cosine"
    assert found["pairs"]["rows"] == ["aligned/cosine", "model_0/mean", "model_1/mean"]
    assert len(found["pairs"]["pairs"]) == 3
    assert len(found["asked"]["t2v"]["queries"]) == len(found["asked"]["v2t"]["queries"]) == 12
    assert set(found["pictures"]) <= set(range(12)) and found["pictures"]
    assert found["models"]["aligned"]["histories"] == {}
    history = found["models"]["model_0"]["histories"]["0"]
    assert len(history["rows"]) <= 151
    kept = history["columns"].index("kept")
    assert [row[0] for row in history["rows"] if row[kept]] == [60]
    assert shown(page_html(found))["title"] == "few, efficientnet_minilm"


def test_what_is_not_there_is_left_out(tmp_path):
    found = contents_of(tmp_path, 1, pictures=0, report={"queries": 0})
    assert found["pictures"] == {} and "asked" not in found
    for part in ("sweeps", "tuning", "tables", "external", "teachers", "rulegraph"):
        assert part not in found
    assert found["spaces"] == {} and found["errors"] == {}


def test_a_baseline_alone_has_no_pairs(tmp_path):
    assert "pairs" not in contents_of(tmp_path, 0)


@pytest.mark.long
def test_a_page_of_20_models_and_60_000_captions_stays_small(tmp_path):
    items = [f"a_rather_long_name_of_an_item_{row}" for row in range(3_000)]
    texts = [f"{row}, {'words of a long caption ' * 4}" for row in range(60_000)]
    config = config_of(19, root=tmp_path / "data")
    results, space = write_results(tmp_path, config, texts, items, pictures=96)
    page = page_html(page_contents(config, PageFiles(results, space, tmp_path / "no_store")))
    # Pictures of noise take several times the room of real ones.
    assert 2e6 < len(page.encode()) < 5e6


def test_a_missing_table_or_picture_is_named(tmp_path):
    config = config_of(1, root=tmp_path / "data")
    results, space = write_results(tmp_path, config, TEXTS, ITEMS, 16)
    files = PageFiles(results, space, tmp_path / "no_store")
    for path in (tmp_path / "data").glob("*.png"):
        path.unlink()
    with pytest.raises(DataError, match=r"\d+\.png: no such picture; put the file there"):
        page_contents(config, files)
    (results / "summary.csv").unlink()
    with pytest.raises(DataError, match=r"summary\.csv: no such file; run the stage"):
        page_contents(config, files)


def test_long_texts_end_in_dots():
    assert shortened("a" * LONGEST) == "a" * LONGEST
    assert shortened("b" * 500).endswith("b …") and len(shortened("b" * 500)) == LONGEST


@pytest.mark.parametrize("module", encoder_modules())
def test_every_encoder_says_whose_it_is(module):
    credit = encoder_credit(module)
    assert credit.name == module and credit.licence and credit.citation
    assert credit.url.startswith("https://")


def test_an_unknown_encoder_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="encoder: unknown module 'clap'; did you mean 'clip'"):
        encoder_credit("clap")


def test_every_family_that_has_a_paper_names_it():
    named = {
        "alignment": {"module": "saf"},
        "dual_encoding": {},
        "probabilistic": {"loss": "mean", "similarities": ["mean"]},
        "projection": {"head": {"type": "mlp"}, "loss": {"type": "softmax"}},
    }
    models = {name: {"family": name, **entry} for name, entry in named.items()}
    config = load_config({"models": {"aligned": {"family": "aligned"}, **models}})
    assert set(named) | {"aligned", "pruned"} == set(families())
    assert all(config.models[name].citations for name in named)


def test_versions_are_of_packages_that_are_installed():
    found = versions()
    assert {"python", "numpy", "pandas"} <= set(found)
    assert all(version[0].isdigit() for version in found.values())
