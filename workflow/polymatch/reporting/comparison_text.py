"""A comparison of two runs as text: for a terminal, as Markdown, HTML or JSON.

Captions are other people's words: what a terminal would take for a command, and what Markdown or
HTML would take for markup, is shown and not obeyed.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from polymatch.data.tables import write_table
from polymatch.errors import ConfigError
from polymatch.evaluation.ranks import Direction
from polymatch.files import written_atomically
from polymatch.reporting.compared_runs import CorrectedP
from polymatch.reporting.comparison import SEPARATOR, Comparison

SUFFIXES = (".csv", ".md", ".html")
_WIDE = 44  # characters of a text on a terminal
_TEMPLATE = Path(__file__).with_name("comparison.html.jinja")


def as_text(comparison: Comparison, show: int, corrected: CorrectedP | None = None) -> str:
    """Tests, counts and the ``show`` most changed queries won and lost, for a terminal."""
    parts = [
        *_headings(comparison),
        "",
        _plain(tests_table(comparison)),
        *_notes(comparison, corrected),
        "",
        _plain(counts_table(comparison)),
    ]
    for outcome, title in (("won", "won by A"), ("lost", "lost to B")):
        rows = comparison.queries[comparison.queries["outcome"] == outcome]
        if show and len(rows):
            shown = queries_table(rows.head(show)).drop(columns="outcome")
            shown = shown.map(lambda text: _clipped(printable(text)))
            first = "all" if len(rows) <= show else f"the most changed {show}"
            parts += ["", f"{title}: {first} of {len(rows)}", _plain(shown)]
    return "\n".join(parts)


def as_markdown(comparison: Comparison, corrected: CorrectedP | None = None) -> str:
    """Everything, with every query that changed."""
    changed = queries_table(_changed(comparison))
    tables = [tests_table(comparison), counts_table(comparison), changed]
    first, second, third = (_markdown(table) for table in tables)
    head = [f"- {line}" for line in _headings(comparison)]
    notes = _notes(comparison, corrected)
    return "\n".join([*head, "", first, "", *notes, "", second, "", third, ""])


def as_html(comparison: Comparison, corrected: CorrectedP | None = None) -> str:
    """A page by itself, with every query that changed."""
    return _template().render(
        comparison=comparison,
        headings=_headings(comparison),
        tests=tests_table(comparison),
        notes=_notes(comparison, corrected),
        counts=counts_table(comparison),
        queries=queries_table(_changed(comparison)),
    )


def as_json(comparison: Comparison, corrected: CorrectedP | None = None) -> dict[str, Any]:
    """Everything, with every query, for programs."""
    queries = comparison.queries
    return {
        "a": {"name": comparison.a, "seeds": comparison.seeds[0]},
        "b": {"name": comparison.b, "seeds": comparison.seeds[1]},
        "protocol": comparison.test_set.protocol,
        "n_items": len(comparison.test_set.items),
        "n_texts": len(comparison.test_set.queries.texts),
        "tests": [
            {
                "metric": tested.name,
                "a": tested.a,
                "b": tested.b,
                "difference": tested.test.difference,
                "low": tested.test.low,
                "high": tested.test.high,
                "p": tested.test.p_value,
            }
            for tested in comparison.tests
        ],
        "leaderboard": None
        if corrected is None
        else {"p": corrected.p_value, "against": corrected.against, "rows": corrected.rows},
        "counts": {each: comparison.counts(each) for each in comparison.directions},
        "queries": queries.to_dict(orient="records"),
    }


def write_comparison(
    comparison: Comparison, path: Path, corrected: CorrectedP | None = None
) -> None:
    """Write a report as its suffix says (CSV: the queries alone, by the schema `comparison`).

    Raises:
        ConfigError: the suffix is none of ``SUFFIXES``.
    """
    check_suffix(path)
    if path.suffix == ".csv":
        write_table(comparison.queries, path, "comparison")
        return
    text = (as_markdown if path.suffix == ".md" else as_html)(comparison, corrected)
    with written_atomically(path) as partial:
        partial.write_text(text, encoding="utf-8")


def check_suffix(path: Path) -> None:
    """Refuse a name of which it is not known what to write.

    Raises:
        ConfigError: its suffix is none of ``SUFFIXES``.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"--out {path}: a comparison is written as {', '.join(SUFFIXES)}")


def tests_table(comparison: Comparison) -> pd.DataFrame:
    """A row for each metric, as people read it."""
    return pd.DataFrame(
        {
            "metric": [
                f"{tested.name} (less is better)" if tested.lower_is_better else tested.name
                for tested in comparison.tests
            ],
            "A": [f"{tested.a:.1f}" for tested in comparison.tests],
            "B": [f"{tested.b:.1f}" for tested in comparison.tests],
            "A - B": [f"{tested.test.difference:+.1f}" for tested in comparison.tests],
            "95% interval": [
                f"[{tested.test.low:+.1f}, {tested.test.high:+.1f}]" for tested in comparison.tests
            ],
            "p": [f"{tested.test.p_value:.4f}" for tested in comparison.tests],
        }
    )


def counts_table(comparison: Comparison) -> pd.DataFrame:
    """How many queries of each direction were won, lost and answered alike."""
    counts = {each: comparison.counts(each) for each in comparison.directions}
    return pd.DataFrame(
        {
            "queries": [_SAID[each] for each in counts],
            "won by A": [str(of["won"]) for of in counts.values()],
            "lost to B": [str(of["lost"]) for of in counts.values()],
            "same": [str(of["same"]) for of in counts.values()],
        }
    )


def queries_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Queries as people read them."""
    asked = rows["text"].where(rows["text"] != "", "item " + rows["query"])
    of_items = (rows["direction"] == "t2v") & ~rows["right"].str.contains(SEPARATOR, regex=False)
    return pd.DataFrame(
        {
            "outcome": rows["outcome"],
            "": rows["direction"],
            "rank in A": rows["rank_a"].map("{:.4g}".format),
            "rank in B": rows["rank_b"].map("{:.4g}".format),
            "query": asked,
            "right answer": ("item " + rows["right"]).where(of_items, rows["right"]),
        }
    ).astype(str)


_SAID: dict[Direction, str] = {"t2v": "texts (t2v)", "v2t": "items (v2t)"}


def _changed(comparison: Comparison) -> pd.DataFrame:
    return comparison.queries[comparison.queries["outcome"] != "same"]


def _headings(comparison: Comparison) -> list[str]:
    test_set = comparison.test_set
    return [
        f"A: {comparison.a}",
        f"B: {comparison.b}",
        f"on {len(test_set.items)} items and {len(test_set.queries.texts)} texts of test "
        f"({test_set.protocol})",
    ]


def _notes(comparison: Comparison, corrected: CorrectedP | None) -> list[str]:
    n_items = comparison.headline.test.n_clusters
    notes = [
        f"Paired randomisation tests over {n_items} items; p-values are of single tests, not "
        "corrected for their number."
    ]
    if corrected is not None:
        notes.append(
            f"The leaderboard's p of the first, against the {corrected.against} and corrected for "
            f"{corrected.rows} rows: {corrected.p_value:.4f}."
        )
    return notes


def _plain(table: pd.DataFrame) -> str:
    return _tabulated(table, "plain")


def _markdown(table: pd.DataFrame) -> str:
    escaped = table.map(lambda text: printable(text).replace("\\", "\\\\").replace("|", "\\|"))
    return _tabulated(escaped.map(lambda text: text.replace("<", "&lt;")), "pipe")


def _tabulated(table: pd.DataFrame, form: str) -> str:
    """By tabulate; numbers are text by now, and are set to the right by hand."""
    right = {"A", "B", "A - B", "95% interval", "p", "rank in A", "rank in B"}
    right |= {"won by A", "lost to B", "same"}
    align = ["right" if name in right else "left" for name in table.columns]
    return table.to_markdown(index=False, tablefmt=form, disable_numparse=True, colalign=align)


def printable(text: str) -> str:
    """The same without characters that a terminal or a line would obey.

    >>> printable("a\\x1b[31m red\\nb")
    'a�[31m red�b'
    """
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _clipped(text: str) -> str:
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 1]}…"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))


def json_text(found: dict[str, Any]) -> str:
    """JSON as it is printed."""
    return json.dumps(found, indent=1, ensure_ascii=False)
