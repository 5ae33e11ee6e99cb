"""What a user sees when the input is bad: one clear line, at once, and nothing half-written."""

import copy
import os
import signal
import subprocess
import time

import pytest

from .conftest import CONFIG


def one_line(output, text):
    """The line of the output that holds ``text``, alone."""
    lines = [line for line in output.splitlines() if text in line]
    assert lines, output[-3000:]
    assert "Traceback" not in output
    return lines[0]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("models.pcme.hiden", 3, "config: models.pcme.hiden: unknown key 'hiden'; did you mean"),
        ("seeds", "three", "config: seeds: 'three' is not allowed: input should be a valid list"),
        (
            "models.pcme.family",
            "pcme",
            "unknown family 'pcme'; allowed: aligned, alignment, dual_encoding, probabilistic",
        ),
        (
            "models.pcme.degree",
            11,
            "config: models.pcme.degree: 11 is not allowed: input should be",
        ),
        ("models.pcme.degree", 0, "config: models.pcme.degree: 0 is not allowed: input should be"),
        ("teachers.domain.K", 0, "config: teachers.domain.K: 0 is not allowed: input should be"),
        ("teachers.domain.a", float("nan"), "teachers.domain.a: nan is not allowed: input should"),
        ("teachers.trained.model", "poly_fixed", "'poly_fixed' is not trained with loss 'sampled'"),
        ("data.source", "emojy", "source: 'emojy' is unknown"),
        ("encoder", {"name": "clipp"}, "encoder: unknown module 'clipp'; did you mean 'clip'?"),
    ],
)
def test_a_bad_config_stops_before_any_job(fresh, path, value, message):
    config = copy.deepcopy(CONFIG)
    *parents, last = path.split(".")
    section = config
    for key in parents:
        section = section[key]
    section[last] = value
    fresh.write_config(config)
    done = fresh.run("results/summary.csv")
    assert done.returncode != 0
    one_line(done.stdout, message)
    assert not (fresh.folder / "results").exists()


def edit(path, change):
    lines = path.read_text().splitlines()
    path.write_text("\n".join(change(lines)) + "\n")


def test_bad_data_stops_the_rule_with_one_line(fresh):
    """One checkout, one fault after the other, each mended before the next."""
    few = fresh.folder / "resources/few"
    items, captions = few / "items.csv", few / "captions.csv"
    first = items.read_text().splitlines()[1].split(",")
    picture = few / first[1]
    content, item_text, caption_text = picture.read_bytes(), items.read_text(), captions.read_text()

    def fails(message):
        done = fresh.run("results/few/manifest.parquet")
        assert done.returncode != 0
        assert message in one_line(done.stdout, "DataError")
        assert not (fresh.folder / "results/few/manifest.parquet").exists()
        items.write_text(item_text)
        captions.write_text(caption_text)
        picture.write_bytes(content)

    picture.unlink()
    fails(f"{first[0]!r}")
    picture.write_bytes(content[:50])
    fails(f"{first[0]!r}")
    edit(items, lambda lines: [*lines, lines[-1]])
    fails("is there already in row")
    edit(captions, lambda lines: [*lines, f"new.name.9,{first[0]},  ,name,en"])
    fails("new.name.9")
    edit(captions, lambda lines: [*lines, "new.name.9,nobody,a ghost,name,en"])
    fails("nobody")
    edit(items, lambda lines: [line.replace(",val,", ",train,") for line in lines])
    fails("val")


def test_a_bad_item_is_left_out_and_listed_where_the_config_says_so(fresh):
    config = copy.deepcopy(CONFIG)
    config["data"]["on_bad_item"] = "skip"
    fresh.write_config(config)
    few = fresh.folder / "resources/few"
    item, path = (few / "items.csv").read_text().splitlines()[1].split(",")[:2]
    (few / path).unlink()
    done = fresh.run("results/few/manifest.parquet")
    assert done.returncode == 0, done.stdout
    assert item in (fresh.folder / "results/few/problems.csv").read_text()


def test_ctrl_c_and_start_again_loses_nothing_that_was_finished(fresh):
    target = "results/few/efficientnet_minilm/embeddings/items.h5"
    features = fresh.folder / "results/few/efficientnet_minilm/features"
    process = subprocess.Popen(
        fresh.command(target),
        cwd=fresh.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # As in a terminal, even where this test itself runs in the background (SIGINT ignored).
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    manifest = fresh.folder / "results/few/manifest.parquet"
    deadline = time.monotonic() + 120
    while not manifest.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.5)  # the next job has begun to load its network
    os.killpg(process.pid, signal.SIGINT)  # the whole group, as the terminal does
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert not list(features.glob("*.h5")) or not list(features.glob("*partial*"))
    written = manifest.stat().st_mtime_ns
    done = fresh.run("--rerun-incomplete", target)
    assert done.returncode == 0, done.stdout[-3000:]
    assert (fresh.folder / target).exists()
    assert manifest.stat().st_mtime_ns == written
