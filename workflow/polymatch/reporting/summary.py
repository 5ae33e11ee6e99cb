"""``results/summary.csv``: one row for each run and each similarity that it is scored by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from polymatch.evaluation.record import with_bounds
from polymatch.provenance import settings_hash
from polymatch.settings.config import Config, Run
from polymatch.sources import protocol_of

CERTIFICATE = {
    "outside_share": "surrogate_outside_share",
    "probability_max": "surrogate_max_error",
    "probability_mean": "surrogate_mean_error",
    "probability_max_inside": "surrogate_max_error_inside",
    "logit_max": "surrogate_max_logit_error",
    "logit_max_inside": "surrogate_max_logit_error_inside",
    "t2v_kendall_tau": "surrogate_kendall_tau",
    "t2v_r1_changed": "surrogate_r1_changed",
}

VARIANCES = {
    "val_logvar": "logvar_mean",
    "val_logvar_low": "logvar_at_lower",
    "val_logvar_high": "logvar_at_upper",
}

SIZES = ("parameters", "nonzero_parameters", "stored_mb", "weights_mb")

SIMULATED = ("simulated_r1_retained", "simulated_r1_retained_lo", "simulated_r1_retained_hi")


def summarise(config: Config, space: Path, code_hashes: Mapping[str, str]) -> pd.DataFrame:
    """Collect what was measured.

    Args:
        config: the configuration whose runs are collected.
        space: folder of the data set and encoder, which holds ``runs/<model>/<seed>/``.
        code_hashes: hash of the code that made a run, by model.

    Returns:
        A frame as described by ``workflow/schemas/summary.schema.json``.
    """
    differing = differing_settings(config)
    rows = [
        _row(config, space, run, kind, differing[run.model], code_hashes[run.model])
        for run in config.runs()
        for kind in config.model_entry(run.model).scored_by
    ]
    return pd.DataFrame(rows)


def differing_settings(config: Config) -> dict[str, str]:
    """For each model, ``key=value; ...`` of the settings that differ within its family."""
    flat = {name: _flatten(entry.model_dump(mode="json")) for name, entry in config.models.items()}
    texts = {}
    for name, settings in flat.items():
        family = [other for other in flat.values() if other["family"] == settings["family"]]
        keys = [key for key in settings if any(other.get(key) != settings[key] for other in family)]
        texts[name] = "; ".join(f"{key}={settings[key]}" for key in keys)
    return texts


def run_directory(space: Path, run: Run) -> Path:
    """Where a run's files are."""
    return space / "runs" / run.model / str(run.seed)


def _row(
    config: Config, space: Path, run: Run, kind: str, differing: str, code_hash: str
) -> dict[str, Any]:
    entry, folder = config.model_entry(run.model), run_directory(space, run)
    first = run_directory(space, config.runs_of(run.model)[0])
    scored, cost = _json(folder / f"{kind}.metrics.json"), _json(first / f"{kind}.latency.json")
    wanted = config.simulated(run.model)
    simulated = _json(first / f"{kind}.deployability.json") if wanted else {}
    history = pd.read_csv(folder / "history.csv")
    kept = history.loc[history["kept"]].iloc[0]
    certificate = _json(folder / "certificate.json") if entry.certified else {}
    return {
        "dataset": config.data.name,
        "protocol": protocol_of(config.data),
        "encoder": config.encoder.name,
        "family": entry.family,
        "model": run.model,
        "similarity": kind,
        "settings": differing,
        "seed": run.seed,
        "n_items": scored["n_items"],
        "n_captions": scored["n_captions"],
        **with_bounds(scored["metrics"], scored["intervals"]),
        "latency_ms": cost["latency_ms"],
        "latency_ms_lo": cost["latency_lo_ms"],
        "latency_ms_hi": cost["latency_hi_ms"],
        "encoding_ms": cost["encoding_ms"],
        "scoring_ms": cost["scoring_ms"],
        "single_query_ms": cost["single_query_ms"],
        "memory_mb": cost["memory_mb"],
        "memory_added_mb": cost["memory_added_mb"],
        **{column: cost[column] for column in SIZES},
        "deployable": simulated.get("deployable"),
        **{column: simulated.get(column) for column in SIMULATED},
        **{column: certificate.get(name) for name, column in CERTIFICATE.items()},
        **{column: kept.get(name) for name, column in VARIANCES.items()},
        "epochs_kept": int(kept["epoch"]),
        "train_seconds": float(history["seconds"].iloc[-1]),
        "config_hash": _config_hash(config, run),
        "code_hash": code_hash,
    }


def _config_hash(config: Config, run: Run) -> str:
    """Hash of every setting that decides this run's figures, and those of the runs it needs."""
    entry = config.model_entry(run.model)
    teacher = getattr(entry, "teacher", None)
    learned_from = config.surrogate_teacher(run.model)
    source = config.teacher_run(learned_from) if learned_from else None
    return settings_hash(
        config.data,
        config.encoder.of("items"),
        config.encoder.of("captions"),
        config.alignment,
        config.evaluation,
        entry,
        config.teachers[teacher] if teacher else None,
        run.seed,
        *([config.words] if entry.starts_from in ("regions", "frames") else []),
        *([config.tags] if entry.needs_tags else []),
        *([_config_hash(config, source)] if source else []),
        *(_config_hash(config, Run(member, run.seed)) for member in entry.members_of),
    )


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
