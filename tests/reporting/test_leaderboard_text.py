"""The leaderboard as text: the same cells on a terminal, in Markdown and in LaTeX."""

import re

import pandas as pd
import pytest

from polymatch.reporting.leaderboard_text import as_latex, as_markdown, as_text, escaped
from polymatch.settings.config import load_config

METRICS = ("t2v_r1", "t2v_r5", "t2v_r10", "v2t_r1", "rsum")
CONFIG = load_config(
    {
        "data": {"name": "emoji"},
        "models": {"aligned": {"family": "aligned"}},
        "seeds": [0, 7],
        "evaluation": {"permutations": 500},
    }
)


@pytest.fixture
def board():
    table = pd.DataFrame(
        {
            "model": ["poly_5", "aligned", "with_sound"],
            "similarity": ["poly", "cosine", "cosine"],
            "protocol": ["test, all captions", "test, all captions", "test, 40 items & 100% sound"],
            "seeds": [2, 1, 2],
            "vs_baseline": ["better", "itself", "other queries"],
            "p_vs_baseline": [0.0123, 1.0, None],
            "vs_best": ["itself", "worse", "other queries"],
            "latency_ms": [2.0, 0.5, 3.0],
            "deployable": pd.array([True, False, None], dtype="boolean"),
            "simulated_r1_retained": [0.995, 0.8, None],
        }
    )
    for metric in METRICS:
        table[metric] = [30.0, 20.0, 40.0]
        table[f"{metric}_lo"], table[f"{metric}_hi"] = table[metric] - 5, table[metric] + 5
    return table


def cells(latex):
    rows = latex.split("\\midrule")[1].split("\\bottomrule")[0].strip().splitlines()
    return [row.removesuffix(r" \\").split(" & ") for row in rows]


def test_text_shows_every_row_and_markdown_is_a_table(board):
    text = as_text(board)
    assert all(name in text for name in board["model"]) and "**" not in text
    lines = as_text(board, markdown=True).splitlines()
    assert len(lines) == 2 + len(board)
    assert len({line.count("|") for line in lines}) == 1


def test_the_best_of_a_column_is_bold(board):
    first, second, third = as_text(board, markdown=True).splitlines()[2:]
    assert "| **40.0** [35.0, 45.0] |" in third and "**0.50**" in second
    assert "**" not in first
    rows = cells(as_latex(board, CONFIG))
    assert rows[2][3] == r"\textbf{40.0} {\scriptsize [35.0, 45.0]}"
    assert rows[1][9] == r"\textbf{0.50}" and rows[0][9] == "2.00"


def test_latex_has_the_columns_of_markdown_and_marks_what_is_significant(board):
    heads, _, *rows = as_markdown(board, CONFIG).split("\n\n")[0].splitlines()
    latex = as_latex(board, CONFIG)
    found = cells(latex)
    assert len(found) == len(rows)
    assert {len(row) for row in found} == {heads.count("|") - 1}
    assert found[0][0] == r"poly\_5" and found[0][7].endswith(r"$^{\uparrow}$")
    assert found[1][7].endswith(r"$^{\dagger}$") and "$" not in found[2][7]
    assert [row[8] for row in found] == ["0.012", "baseline", "other queries"]
    assert found[0][10] == r"yes (100\%)" and found[2][10] == "-"


def test_captions_say_data_protocol_seeds_and_test(board):
    latex, markdown = as_latex(board, CONFIG), as_markdown(board, CONFIG)
    for text in (latex, markdown):
        assert "Retrieval on emoji" in text and "seeds (0, 7;" in text
        assert "paired randomisation test of R-sum against aligned" in text
        assert "(500 times), Holm-corrected" in text
    assert r"test, 40 items \& 100\% sound" in latex and "40 items & 100% sound" in markdown


def test_latex_is_balanced_and_every_special_letter_is_escaped(board):
    latex = as_latex(board.assign(model=["a&b", "50%_#", "x^~{}$"]), CONFIG)
    body = re.sub(r"\\[&%$#_{}]", "", latex.split("\n", 1)[1])  # without the comment
    assert body.count("{") == body.count("}")
    begun, ended = (re.findall(rf"\\{word}{{(.*?)}}", body) for word in ("begin", "end"))
    assert sorted(begun) == sorted(ended) == ["table*", "tabular"]
    assert all(len(row) == 11 for row in cells(latex))
    assert escaped("\\ ~") == r"\textbackslash{} \textasciitilde{}"


def test_rows_that_look_alike_are_bold_together(board):
    board["rsum"] = [30.01, 29.98, 20.0]
    lines = as_text(board, markdown=True).splitlines()[2:]
    assert ["**30.0** [" in line for line in lines] == [True, True, False]
