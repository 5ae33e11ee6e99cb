import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from polymatch.errors import ConfigError
from polymatch.provenance import code_hash, folder_hash, settings_hash
from polymatch.settings.encoder import EncoderSettings

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path):
    """A copy of the library and scripts that a test may edit, and its stages' hashes."""
    for name in ("polymatch", "scripts"):
        shutil.copytree(
            ROOT / "workflow" / name,
            tmp_path / name,
            ignore=shutil.ignore_patterns("__pycache__"),
        )

    def hashes():
        # A fresh interpreter: the module under test caches what it has read.
        code = (
            "import sys; sys.path.insert(0, '.')\n"
            "from polymatch.provenance import code_hash\n"
            "for name in ('prepare', 'extract_items', 'align', 'train', 'evaluate', 'compare'):\n"
            "    family = ['polymatch.models.probabilistic', 'polymatch.losses.probabilistic']\n"
            "    print(name, code_hash(f'scripts/{name}.py', *(family if name == 'train' else [])))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return dict(line.split() for line in done.stdout.splitlines())

    return tmp_path, hashes


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("losses/probabilistic.py", {"train"}),
        ("models/probabilistic.py", {"train"}),
        ("training/loop.py", {"train"}),
        ("data/manifest.py", {"prepare"}),
        ("encoders/extract.py", {"extract_items"}),
        ("evaluation/significance.py", {"compare"}),
        ("evaluation/counting.py", {"align", "train", "evaluate", "compare"}),
        ("models/cca.py", {"align"}),
        ("settings/config.py", {"compare"}),
        ("settings/sweeps.py", {"compare"}),
    ],
)
def test_an_edit_changes_exactly_the_stages_that_import_it(checkout, module, stages):
    folder, hashes = checkout
    before = hashes()
    path = folder / "polymatch" / module
    path.write_text(path.read_text() + "\n_EDITED = True\n")
    after = hashes()
    assert {name for name in before if before[name] != after[name]} == stages


def test_comments_formatting_and_docstrings_change_nothing(checkout):
    folder, hashes = checkout
    before = hashes()
    path = folder / "polymatch/training/loop.py"
    text = path.read_text()
    path.write_text(text.replace('"""The one loop', '"""(edited) The one loop') + "\n\n# a word\n")
    assert hashes() == before


def test_an_unknown_module_is_named_with_those_that_exist():
    with pytest.raises(ConfigError, match=r"no module polymatch.sources.emojy; .*emoji"):
        code_hash(ROOT / "workflow/scripts/prepare.py", "polymatch.sources.emojy")


def test_settings_hash_sees_values_not_order():
    assert settings_hash({"a": 1, "b": 2}) == settings_hash({"b": 2, "a": 1})
    assert settings_hash(EncoderSettings(batch_size=1)) != settings_hash(
        EncoderSettings(batch_size=2)
    )


def test_folder_hash_sees_content_and_names(tmp_path):
    (tmp_path / "a").write_text("1")
    first = folder_hash(tmp_path)
    (tmp_path / "a").touch()
    assert folder_hash(tmp_path) == first
    (tmp_path / "a").write_text("2")
    second = folder_hash(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, second, folder_hash(tmp_path)}) == 3


def test_what_is_kept_of_files_changes_no_hash(checkout):
    folder, hashes = checkout
    first = hashes()
    (kept,) = (folder / "polymatch/__pycache__").glob("syntax.*.json")
    written = kept.stat().st_mtime_ns
    assert hashes() == first and kept.stat().st_mtime_ns == written
    # An edit that leaves the size as it is.
    path = folder / "polymatch/data/manifest.py"
    path.write_text(path.read_text() + "\n_EDITED = 1\n")
    second = hashes()
    path.write_text(path.read_text().replace("_EDITED = 1", "_EDITED = 2"))
    third = hashes()
    assert len({one["prepare"] for one in (first, second, third)}) == 3
    for broken in ("", "[1]", '{"by": 1', "{}"):
        kept.write_text(broken)
        assert hashes() == third


def test_what_another_version_found_is_not_taken(checkout):
    folder, hashes = checkout
    first = hashes()
    (kept,) = (folder / "polymatch/__pycache__").glob("syntax.*.json")
    record = json.loads(kept.read_text())
    for entry in record["files"].values():
        entry["hash"] = "0"
    kept.write_text(json.dumps(record))
    assert hashes() != first  # else this test would show nothing
    (folder / "polymatch/syntax.py").touch()
    assert hashes() == first
