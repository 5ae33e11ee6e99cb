"""Figures of a study: how it went, which settings mattered, and which were tried. Readable in grey.

Optuna's own drawings are told apart by colour, leave out trials that lack a conditional setting,
and write over their labels with many of them; its evaluation of importance (fANOVA) is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import optuna
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

from polymatch.reporting.figures import save_figure
from polymatch.reporting.tuning import study_of, value_of
from polymatch.settings.tuning import Choice, DimensionSettings, TuningSettings

LEAST = 4
"""Trials that a word on importance needs."""

LABELS = {
    "val_r1": "R@1 on val (%), mean of both directions",
    "val_t2v_r1": "t2v R@1 on val (%)",
    "val_v2t_r1": "v2t R@1 on val (%)",
    "val_rsum": "R-sum on val",
}


def tuning_figures(table: pd.DataFrame, settings: TuningSettings, paths: Sequence[Path]) -> None:
    """Draw each figure that ``paths`` name by their stems: history, importance, parallel.

    Args:
        table: as ``workflow/schemas/trials.schema.json`` describes it.
    """
    points = {
        "history": history_points,
        "importance": importance_points,
        "parallel": parallel_points,
    }
    draw = {"history": draw_history, "importance": draw_importance, "parallel": draw_parallel}
    for stem in dict.fromkeys(path.stem for path in paths):
        data = points[stem](table, settings)
        figure = draw[stem](data, settings)
        save_figure(figure, [path for path in paths if path.stem == stem], data, f"tuning_{stem}")


def history_points(table: pd.DataFrame, settings: TuningSettings) -> pd.DataFrame:
    """What :func:`draw_history` draws: the trials that have ended, and the best so far.

    As ``workflow/schemas/tuning_history.schema.json`` describes it.
    """
    ended = table.loc[
        table["state"].isin(["complete", "pruned", "failed"]), ["number", "state", "value"]
    ]
    best = ended["value"].where(ended["state"] == "complete").cummax().ffill()
    return ended.assign(best=best).reset_index(drop=True)


def draw_history(points: pd.DataFrame, settings: TuningSettings) -> Figure:
    """Every finished trial's figure in the order of the trials, and the best so far.

    ``points`` is a table of :func:`history_points`.
    """
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    valued = points[points["value"].notna()]
    complete, pruned = (valued[valued["state"] == state] for state in ("complete", "pruned"))
    axes.plot(pruned["number"], pruned["value"], "x", color="0.5", markersize=5, label="pruned")
    axes.plot(complete["number"], complete["value"], "ko", markersize=4, label="complete")
    axes.step(
        complete["number"], complete["best"], "k--", where="post", linewidth=1, label="best so far"
    )
    lost = points[points["value"].isna() & points["state"].isin(["pruned", "failed"])]
    if len(lost):
        ends = axes.get_xaxis_transform()
        axes.plot(lost["number"], [0.015] * len(lost), "|", color="0.5", transform=ends)
        axes.plot([], [], "|", color="0.5", label="impossible or interrupted")
    axes.set(xlabel="trial", ylabel=LABELS[settings.select])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize="small")
    return figure


def importances(study: optuna.Study, settings: TuningSettings) -> pd.DataFrame:
    """Share of the variance between trials that a key explains, by fANOVA; largest first.

    A key that only some trials have is judged among those, beside the keys that all have.

    Returns:
        A row a key: ``key``, ``importance`` (0 to 1), ``trials`` that it was judged on. Keys that
        cannot be judged (too few trials, all alike) are left out.
    """
    trials = study.get_trials(deepcopy=False)
    common = [key for key, dimension in settings.space.items() if not dimension.when]
    rows = []
    for key in settings.space:
        wanted = [*common, *([key] if key not in common else [])]
        having = [trial for trial in trials if all(other in trial.params for other in wanted)]
        differing = [other for other in wanted if len({t.params[other] for t in having}) > 1]
        values = [trial.value for trial in having]
        if len(having) < LEAST or key not in differing or len(set(values)) < 2:
            continue
        part = optuna.create_study(direction="maximize")
        part.add_trials(having)
        shares = get_param_importances(
            part, params=differing, evaluator=FanovaImportanceEvaluator(seed=0)
        )
        rows.append({"key": key, "importance": shares[key], "trials": len(having)})
    found = pd.DataFrame(rows, columns=["key", "importance", "trials"])
    return found.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def importance_points(table: pd.DataFrame, settings: TuningSettings) -> pd.DataFrame:
    """What :func:`draw_importance` draws: :func:`importances`, and which keys are conditional.

    As ``workflow/schemas/tuning_importance.schema.json`` describes it.
    """
    found = importances(study_of(table, settings), settings)
    conditional = [bool(settings.space[key].when) for key in found["key"]]
    return found.assign(conditional=pd.Series(conditional, dtype=bool))


def draw_importance(found: pd.DataFrame, settings: TuningSettings) -> Figure:
    """Bars of :func:`importances`; hatched for keys that only some trials have.

    ``found`` is a table of :func:`importance_points`.
    """
    figure, axes = plt.subplots(figsize=(7, 1.2 + 0.34 * max(2, len(found))), layout="constrained")
    axes.set(xlabel=f"importance for {settings.select} (fANOVA, share of the variance)")
    if found.empty:
        axes.set(xlim=(0, 1), yticks=[])
        text = "Too few finished trials, or all alike: nothing can be told."
        axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
        return figure
    some = found["conditional"].tolist()
    bars = axes.barh(
        found.index,
        found["importance"],
        color=["0.85" if part else "0.45" for part in some],
        hatch=["///" if part else "" for part in some],
        edgecolor="k",
        linewidth=0.6,
    )
    axes.bar_label(bars, fmt="{:.2f}", padding=3, fontsize="small")
    names = [
        f"{key}\n(of {trials} trials with it)" if part else key
        for key, trials, part in zip(found["key"], found["trials"], some, strict=True)
    ]
    axes.set_yticks(found.index, names, fontsize="small")
    axes.invert_yaxis()
    axes.margins(x=0.12)
    return figure


def parallel_points(table: pd.DataFrame, settings: TuningSettings) -> pd.DataFrame:
    """What :func:`draw_parallel` draws: a row for each setting of each finished trial.

    As ``workflow/schemas/tuning_parallel.schema.json`` describes it, the worst trial first.
    """
    shown = table[table["value"].notna() & table["state"].isin(["complete", "pruned"])]
    shown = shown.sort_values("value", kind="stable")
    long = shown.melt(
        id_vars=["number", "state", "value"],
        value_vars=list(settings.space),
        var_name="key",
        value_name="setting",
        ignore_index=False,
    )
    # Trial by trial, as melting does not have it.
    long = long.loc[shown.index].reset_index(drop=True) if len(long) else long
    text = [None if _absent(cell) else str(cell) for cell in long["setting"]]
    return long.assign(setting=pd.Series(text, index=long.index, dtype=object))


def draw_parallel(points: pd.DataFrame, settings: TuningSettings) -> Figure:
    """A line for each finished trial through its settings; the darker, the better.

    Trials with one choice pass its mark side by side, and those without a key below its axis.
    ``points`` is a table of :func:`parallel_points`.
    """
    shown = points.drop_duplicates("number")
    keys = list(settings.space)
    figure, axes = plt.subplots(figsize=(2.0 + 1.1 * len(keys), 4.6), layout="constrained")
    cells = {key: points.loc[points["key"] == key, "setting"] for key in keys}
    sides = [_heights(cells[key], settings.space[key]) for key in keys]
    values = shown["value"].to_numpy(float)
    heights = np.column_stack([*sides, _scaled(values)])
    complete = (shown["state"] == "complete").to_numpy()
    for place, line in enumerate(heights):
        # By rank, so that a few hopeless trials do not leave all others alike.
        share = place / max(1, len(shown) - 1)
        dashes, grey = "-" if complete[place] else "--", str(0.82 * (1 - share**4))
        axes.plot(line, dashes, color=grey, linewidth=0.6 + 0.6 * share, zorder=2)
    if complete.any():
        best = np.flatnonzero(complete)[-1]
        axes.plot(heights[best], "k-", linewidth=3, zorder=3, label="best")
        axes.plot(heights[best], "wo", markersize=3, zorder=4)
    for at, key in enumerate(keys):
        _axis(axes, at, _ticks(settings.space[key]))
    if len(shown):
        ends = np.unique(values[[0, -1]])
        _axis(
            axes,
            len(keys),
            {at: f"{v:.2f}" for at, v in zip(_scaled(ends).tolist(), ends, strict=True)},
        )
    names = [*(key.replace(".", ".\n") for key in keys), settings.select]
    axes.set_xticks(range(len(names)), names, fontsize="small")
    axes.tick_params(length=0)
    axes.set(ylim=(-0.2, 1.05), xlim=(-0.3, len(keys) + 0.6), yticks=[])
    axes.spines[:].set_visible(False)
    axes.plot([], [], "-", color="0.3", label="complete (darker: better)")
    axes.plot([], [], "--", color="0.5", label="pruned")
    figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize="small")
    return figure


FOOT = -0.14
SPREAD = 0.06


def _heights(cells: pd.Series, dimension: DimensionSettings) -> np.ndarray:
    """Where each trial's line crosses the axis of a key: 0 to 1, or its foot."""
    values = [value_of(cell, dimension) for cell in cells]
    found = np.array([FOOT if value is None else _height(value, dimension) for value in values])
    for height in np.unique(found) if dimension.choices is not None or FOOT in found else []:
        same = np.flatnonzero(found == height)
        if dimension.choices is not None or height == FOOT:
            found[same] += SPREAD * (np.linspace(0, 1, len(same) + 2)[1:-1] - 0.5)
    return found


def _absent(cell: object) -> bool:
    return cell is None or cell == "" or cell != cell


def _height(value: Choice, dimension: DimensionSettings) -> float:
    if dimension.choices is not None:
        place = (dimension.choices.index(value) + 0.5) / len(dimension.choices)
        return float(place)
    low, high = float(dimension.low or 0), float(dimension.high or 0)
    at = float(value or 0)
    if dimension.log:
        at, low, high = np.log([at, low, high]).tolist()
    return (at - low) / (high - low)


def _ticks(dimension: DimensionSettings) -> dict[float, str]:
    foot = {FOOT: "not used"} if dimension.when else {}
    if dimension.choices is not None:
        return foot | {_height(choice, dimension): str(choice) for choice in dimension.choices}
    low, high = float(dimension.low or 0), float(dimension.high or 0)
    middle = float(np.sqrt(low * high)) if dimension.log else (low + high) / 2
    return foot | {_height(v, dimension): f"{v:.2g}" for v in (low, middle, high)}


def _axis(axes: Axes, at: int, ticks: dict[float, str]) -> None:
    axes.plot([at, at], [0, 1], "k-", linewidth=0.8, zorder=1)
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.6}
    for height, text in ticks.items():
        axes.plot([at - 0.03, at + 0.03], [height] * 2, "k-", linewidth=0.8, zorder=1)
        axes.text(at + 0.07, height, text, va="center", fontsize="x-small", bbox=box, zorder=5)


def _scaled(values: np.ndarray) -> np.ndarray:
    if not len(values) or np.ptp(values) == 0:
        return np.full(len(values), 0.5)
    return np.asarray((values - values.min()) / np.ptp(values))
