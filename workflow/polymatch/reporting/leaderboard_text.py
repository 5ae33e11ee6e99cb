"""The leaderboard for people: on a terminal, as Markdown, and as LaTeX for a paper.

All three have the same columns. In Markdown and LaTeX the best figure of a column is bold; LaTeX
says whether a row is better or worse than the baseline by an arrow, and whether it is worse than
the best row by a dagger. The LaTeX needs the packages booktabs and graphicx.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from polymatch.settings.config import Config

UNTESTED = ("itself", "other queries")
# Column -> its heading in LaTeX, and whether it has its interval beside it.
_METRICS = {
    "t2v_r1": ("t2v R@1", True),
    "t2v_r5": ("t2v R@5", True),
    "t2v_r10": ("t2v R@10", False),
    "v2t_r1": ("v2t R@1", False),
    "rsum": ("R-sum", True),
    # Shown where they were asked for.
    "t2v_asp": ("t2v ASP", False),
    "t2v_pmrp": ("t2v PMRP", False),
}
_HEADINGS = {
    "model": "Model",
    "similarity": "Similarity",
    "seeds": "Seeds",
    **{name: heading for name, (heading, _) in _METRICS.items()},
    "vs baseline (p)": r"$p$",
    "latency_ms": "Latency (ms)",
    "deployable (simulated)": "Deployable",
}
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}
_ARROWS = {"better": r"\uparrow", "worse": r"\downarrow"}

Look = Callable[[str], str]


def as_text(board: pd.DataFrame, markdown: bool = False) -> str:
    """The leaderboard for a terminal or, as Markdown, for a README."""
    if not markdown:
        return _shown(board).to_string(index=False)
    shown = _shown(board, bold="**{}**".format)
    lines = [list(shown.columns), ["---"] * len(shown.columns), *shown.to_numpy(str).tolist()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def as_markdown(board: pd.DataFrame, config: Config) -> str:
    """The leaderboard as a Markdown file of its own, with what it is under it."""
    return f"{as_text(board, markdown=True)}\n\n{caption(board, config)} The best is bold.\n"


def as_latex(board: pd.DataFrame, config: Config) -> str:
    """The leaderboard as a LaTeX table over the width of the page, with its caption."""
    shown = _shown(board.assign(model=board["model"].map(escaped)), r"\textbf{{{}}}".format, _small)
    shown["similarity"] = board["similarity"].map(escaped).to_list()
    shown["rsum"] = [
        cell + _mark(baseline, best)
        for cell, baseline, best in zip(
            shown["rsum"], board["vs_baseline"], board["vs_best"], strict=True
        )
    ]
    shown["vs baseline (p)"] = [
        {"itself": "baseline"}.get(verdict, verdict) if verdict in UNTESTED else f"{p:.3f}"
        for verdict, p in zip(board["vs_baseline"], board["p_vs_baseline"], strict=True)
    ]
    shown["deployable (simulated)"] = shown["deployable (simulated)"].map(escaped)
    heads = [_HEADINGS[name] for name in shown.columns]
    aligned = "".join("l" if name in ("model", "similarity") else "r" for name in shown.columns)
    marks = (
        r"Bold: best; $\uparrow$, $\downarrow$: better, worse than the baseline; "
        r"$\dagger$: worse than the first row ($p < 0.05$)."
    )
    lines = [
        "% Needs \\usepackage{booktabs,graphicx}.",
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{escaped(caption(board, config))} {marks}}}",
        rf"\label{{tab:{config.data.name}-leaderboard}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{{aligned}}}",
        r"\toprule",
        " & ".join(heads) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in shown.to_numpy(str).tolist()),
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def caption(board: pd.DataFrame, config: Config) -> str:
    """What the table is of: data, protocol, seeds, intervals and test."""
    settings = config.evaluation
    protocols = "; ".join(dict.fromkeys(board["protocol"]))
    seeds = ", ".join(map(str, config.seeds))
    return (
        f"Retrieval on {config.data.name} ({protocols}). Means over seeds ({seeds}; one run where "
        "nothing is trained), in percent but for R-sum, with 95% intervals in brackets (bootstrap "
        f"over items, {settings.resamples} resamples). p: paired randomisation test of R-sum "
        f"against {config.baseline} on the same queries, signs flipped by item "
        f"({settings.permutations} times), Holm-corrected over the rows."
    )


def escaped(text: str) -> str:
    """``text`` as LaTeX shows it letter by letter.

    >>> print(escaped("50% of a_b"))
    50\\% of a\\_b
    """
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def _shown(board: pd.DataFrame, bold: Look = str, small: Look = str) -> pd.DataFrame:
    """The table's cells; ``bold`` is how the best of a column looks, ``small`` how bounds do."""
    metrics = {
        name: _figures(board, name, interval, bold, small)
        for name, (_, interval) in _METRICS.items()
        if name in board
    }
    return pd.DataFrame(
        {
            "model": board["model"].to_list(),
            "similarity": board["similarity"].to_list(),
            "seeds": board["seeds"].astype(str).to_list(),
            **metrics,
            "vs baseline (p)": [
                verdict if verdict in UNTESTED else f"{verdict} ({p:.3f})"
                for verdict, p in zip(board["vs_baseline"], board["p_vs_baseline"], strict=True)
            ],
            "latency_ms": _best_in_bold(
                [f"{value:.2f}" for value in board["latency_ms"]],
                board["latency_ms"].min(),
                2,
                bold,
            ),
            "deployable (simulated)": _verdicts(board),
        }
    )


def _figures(
    board: pd.DataFrame, metric: str, interval: bool, bold: Look, small: Look
) -> list[str]:
    means = _best_in_bold([f"{value:.1f}" for value in board[metric]], board[metric].max(), 1, bold)
    if not interval:
        return means
    bounds = zip(means, board[f"{metric}_lo"], board[f"{metric}_hi"], strict=True)
    return [f"{mean} {small(f'[{low:.1f}, {high:.1f}]')}" for mean, low, high in bounds]


def _best_in_bold(shown: list[str], best: float, digits: int, bold: Look) -> list[str]:
    """Bold for all that look like the best: digits that are not shown make no difference."""
    return [bold(text) if text == f"{best:.{digits}f}" else text for text in shown]


def _small(bounds: str) -> str:
    return rf"{{\scriptsize {bounds}}}"


def _mark(against_baseline: str, against_best: str) -> str:
    signs = _ARROWS.get(against_baseline, "") + (r"\dagger" if against_best == "worse" else "")
    return f"$^{{{signs}}}$" if signs else ""


def _verdicts(board: pd.DataFrame) -> list[str]:
    """Yes or no, with the share of R@1 that the analog simulation keeps; a dash without one."""
    return [
        "-"
        if pd.isna(verdict)
        else f"{'yes' if verdict else 'no'} ({'-' if pd.isna(kept) else format(kept, '.0%')})"
        for verdict, kept in zip(board["deployable"], board["simulated_r1_retained"], strict=True)
    ]
