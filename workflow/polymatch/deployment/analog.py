"""What a model keeps of its R@1 on analog arrays: a simulation, over programming seeds.

Three sweeps, each of which leaves the other two alone:

* ``adc_bits``: arrays of phase-change memory, freshly programmed, read by converters of so many
  bits (with ``weights: exact``, arrays that hold the very weights, which no device does). Each
  array's output range is chosen on the validation split for that number of bits.
* ``weight_noise``: Gaussian noise on every weight instead of a memory's, at ``at_bits``. A noise of
  0 shows the converters alone.
* ``drift_seconds``: arrays of phase-change memory so long after programming, at ``at_bits``.

A figure is the mean over programming seeds of the mean over runs, with a 95% interval (Student's t)
over programming seeds: what another chip of the same kind would show. A programming seed gives the
same devices to every point of the sweeps over bits and time. ``retained`` is a simulated R@1 over
the digital one; ``simulated_r1_retained`` is that of the direction, t2v or v2t, that keeps less.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import stdtrit
from tqdm import tqdm

from polymatch.data.splits import RetrievalSet
from polymatch.deployment.chip import Chip, NoisyWeights, Programmer, phase_change_memory
from polymatch.deployment.graphs import check_kind, model_graphs
from polymatch.errors import DataError
from polymatch.evaluation import retrieval_metrics
from polymatch.models import RetrievalModel
from polymatch.settings.stages import DeploymentSettings
from polymatch.training.scoring import score

DIRECTIONS = ("t2v_r1", "v2t_r1")
# A point of a sweep: its name and value.
Point = tuple[str, float]


@contextmanager
def _layers_called() -> Iterator[None]:
    """Keep torch's transformers from reading their layers' weights instead of calling them."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@_layers_called()
def simulate(
    models: Sequence[RetrievalModel],
    kind: str,
    val: RetrievalSet,
    test: RetrievalSet,
    settings: DeploymentSettings,
    label: str = "analog simulation",
) -> pd.DataFrame:
    """Simulate the runs of one model, scored by ``kind``, on ``test``; calibrated on ``val``.

    Returns:
        A frame as ``workflow/schemas/analog.schema.json`` describes it, without ``model`` and
        ``similarity``; the first row is the digital float reference.

    Raises:
        ConfigError: the model has no similarity ``kind``.
        DataError: no model is given.
    """
    if not models:
        raise DataError("analog simulation: no run is given; train the model first")
    for model in models:
        check_kind(model, kind)
    digital = np.mean([_recalls(score(model, test, kind), test) for model in models], axis=0)
    found: dict[Point, list[np.ndarray]] = {}
    progress = tqdm(total=len(models) * settings.programming_seeds, desc=label, mininterval=5)
    for run, model in enumerate(models):
        chip = Chip(
            model,
            model_graphs(model, kind, ("scorer",)),
            val,
            settings.gallery,
            settings.dac_bits,
            sorted({*settings.adc_bits, settings.at_bits}),
        )
        of_run: dict[Point, list[np.ndarray]] = {}
        for number in range(settings.programming_seeds):
            for point, recalls in _one_programming(chip, test, settings, run, number):
                of_run.setdefault(point, []).append(recalls)
            progress.update()
        for point, values in of_run.items():
            found.setdefault(point, []).append(np.array(values))
    progress.close()
    rows = [_row(("digital", math.nan), np.tile(digital, (2, 1)), digital, len(models), 0)]
    for point, runs in found.items():
        rows.append(_row(point, np.mean(runs, axis=0), digital, len(models), len(runs[0])))
    return pd.DataFrame(rows)


def simulated_record(table: pd.DataFrame, settings: DeploymentSettings) -> dict[str, Any]:
    """Return what counts for the verdict, from the table of :func:`simulate`.

    ``digital_t2v_r1`` and ``digital_v2t_r1``; all ``simulated_`` columns of the row of ``adc_bits``
    at ``at_bits``; ``programming_seeds``, ``runs`` and the settings.
    """
    digital = table[table["condition"] == "digital"].iloc[0]
    at = table[(table["condition"] == "adc_bits") & (table["value"] == settings.at_bits)].iloc[0]
    figures = {name: _plain(at[name]) for name in table.columns if name.startswith("simulated_")}
    return {
        **{f"digital_{name}": float(digital[f"simulated_{name}"]) for name in DIRECTIONS},
        **figures,
        "programming_seeds": int(at["programming_seeds"]),
        "runs": int(at["runs"]),
        "at_bits": settings.at_bits,
        "dac_bits": settings.dac_bits,
        "gallery_on_arrays": settings.gallery,
        "retain": settings.retain,
    }


def deployable(
    record: Mapping[str, Any], audit: Mapping[str, Any], settings: DeploymentSettings
) -> bool:
    """Say whether a model can go onto analog arrays, by this simulation.

    It needs no random numbers to answer a query (``samples`` of the audit), and keeps ``retain`` of
    its R@1 in both directions (``simulated_r1_retained``, at ``at_bits``, freshly programmed),
    judged by the mean over programming seeds and not by a bound of its interval. A
    model that finds nothing digitally has nothing to keep, and is not deployable.
    """
    kept = record["simulated_r1_retained"]
    return kept is not None and kept >= settings.retain and not audit["samples"]


def _one_programming(
    chip: Chip, test: RetrievalSet, settings: DeploymentSettings, run: int, number: int
) -> list[tuple[Point, np.ndarray]]:
    """All points of one run with one programming seed."""
    entropy = [settings.seed + number, run]

    def recalls(programmer: Programmer, points: list[tuple[int, float]]) -> list[np.ndarray]:
        stored = chip.program(programmer, np.random.SeedSequence([*entropy, 0]))
        seed = np.random.SeedSequence([*entropy, 1])
        matrices = chip.scores(stored, programmer, test, points, seed)
        return [_recalls(matrix, test) for matrix in matrices]

    fresh: list[Point] = [("adc_bits", float(bits)) for bits in settings.adc_bits]
    later: list[Point] = [("drift_seconds", float(t)) for t in settings.drift_seconds]
    at_fresh = [(bits, 0.0) for bits in settings.adc_bits]
    at_later = [(settings.at_bits, float(t)) for t in settings.drift_seconds]
    points: list[tuple[Point, np.ndarray]] = []
    if settings.weights == "pcm":  # one programming for both sweeps
        found = recalls(phase_change_memory, at_fresh + at_later)
    else:
        found = recalls(NoisyWeights.programmer(0.0), at_fresh)
        found += recalls(phase_change_memory, at_later)
    points += zip(fresh + later, found, strict=True)
    for share in settings.weight_noise:
        programmer = NoisyWeights.programmer(share)
        point = ("weight_noise", float(share))
        points.append((point, recalls(programmer, [(settings.at_bits, 0.0)])[0]))
    return points


def _recalls(similarity: np.ndarray, data: RetrievalSet) -> np.ndarray:
    metrics = retrieval_metrics(similarity, data.item_ids, data.positives)
    return np.array([metrics[name] for name in DIRECTIONS])


def _row(
    point: Point, recalls: np.ndarray, digital: np.ndarray, runs: int, seeds: int
) -> dict[str, Any]:
    """One row: ``recalls`` [seeds, 2] are means over runs, ``digital`` [2] likewise."""
    row: dict[str, Any] = {"condition": point[0], "value": point[1]}
    row |= {"programming_seeds": seeds, "runs": runs}
    for column, name in enumerate(DIRECTIONS):
        row |= _with_interval(f"simulated_{name}", recalls[:, column], 100.0)
    kept = recalls / np.where(digital > 0, digital, math.nan)
    # A direction without a figure has nothing to keep, and no other may stand for it.
    weaker = int(np.argmin(kept.mean(0)))
    for name, column in (("t2v", 0), ("v2t", 1), ("r1", weaker)):
        row |= _with_interval(f"simulated_{name}_retained", kept[:, column], math.inf)
    return row


def _with_interval(name: str, values: np.ndarray, highest: float) -> dict[str, float]:
    mean, low, high = t_interval(values)
    bounds = np.clip([low, high], 0.0, highest)  # NaN stays NaN
    return {name: mean, f"{name}_lo": float(bounds[0]), f"{name}_hi": float(bounds[1])}


def t_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return mean and 95% interval of the mean, by Student's t; values [n], n at least 2.

    >>> [round(float(x), 3) for x in t_interval(np.array([1.0, 2.0, 3.0]))]
    [2.0, -0.484, 4.484]
    """
    mean, n = float(np.mean(values)), len(values)
    half = float(stdtrit(n - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(n))
    return mean, mean - half, mean + half


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
