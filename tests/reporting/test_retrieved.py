"""What a sheet shows: the best five of each query, by outcome, with the right ones marked."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.splits import matched_rows
from polymatch.data.tables import read_table
from polymatch.errors import DataError
from polymatch.evaluation import retrieval_ranks
from polymatch.reporting.figures import save_figure
from polymatch.reporting.retrieved import (
    SHOWN,
    answers_table,
    choose,
    outcome_of,
    retrieved,
    shares_of,
)
from polymatch.reporting.retrieved_figure import RIGHT, retrieved_figure

ITEMS = [f"item {row}" for row in range(30)]
# Two captions an item, and one that names two items.
POSITIVES = [(item,) for item in ITEMS for _ in range(2)] + [(ITEMS[3], ITEMS[8])]
MATCHES = matched_rows(ITEMS, POSITIVES)
TEXTS = [f"text {row}" for row in range(len(POSITIVES))]


def scores(seed=0, signal=1.0):
    random = np.random.default_rng(seed)
    similarity = random.standard_normal((len(ITEMS), len(POSITIVES)))
    similarity[tuple(MATCHES.T)] += signal
    return similarity


def sheets_of(similarity, queries=8, seed=0):
    ranks = retrieval_ranks(similarity, ITEMS, POSITIVES)
    return retrieved(similarity, ranks, MATCHES, queries, seed)


def test_answers_are_those_of_sorting_the_whole_matrix():
    similarity = scores()
    for sheet, lines in zip(sheets_of(similarity), (similarity.T, similarity), strict=True):
        assert len(sheet.answers) == 8
        for answer in sheet.answers:
            line = lines[answer.query]
            order = sorted(range(len(line)), key=lambda row, line=line: -line[row])
            right = {
                (item if sheet.direction == "t2v" else query)
                for item, query in MATCHES.tolist()
                if (query if sheet.direction == "t2v" else item) == answer.query
            }
            assert answer.best == order[:5]
            assert answer.right == [row for row in order if row in right]
            assert answer.rank == 1 + order.index(answer.right[0])
            assert answer.missed == (answer.rank > 5)


def test_half_are_hits_a_quarter_near_and_a_quarter_failures():
    for sheet in sheets_of(scores()):
        outcomes = outcome_of(np.array([answer.rank for answer in sheet.answers]))
        assert outcomes.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]


@given(
    st.lists(st.sampled_from([1.0, 1.5, 4.0, 10.0, 30.0])), st.integers(1, 12), st.integers(0, 3)
)
def test_as_many_are_drawn_as_there_are_each_once_the_best_first(ranks, queries, seed):
    rank = np.array(ranks)
    chosen = choose(rank, queries, seed)
    assert len(chosen) == len(set(chosen)) == min(queries, len(ranks))
    assert list(rank[chosen]) == sorted(rank[chosen])


def test_another_seed_draws_other_queries():
    drawn = [[a.query for a in sheets_of(scores(), seed=seed)[0].answers] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_outcomes_are_those_of_all_queries():
    similarity = scores(signal=2.0)
    ranks = retrieval_ranks(similarity, ITEMS, POSITIVES)
    for sheet in sheets_of(similarity):
        hits = ranks.hits(sheet.direction, 1).sum(), ranks.hits(sheet.direction, 10).sum()
        assert sheet.outcomes["rank 1"] == hits[0]
        assert sheet.outcomes["rank 2 to 10"] == hits[1] - hits[0]
        assert sum(sheet.outcomes.values()) == len(ranks.expected_rank(sheet.direction))


def test_a_tie_at_the_top_is_no_hit():
    sheet = sheets_of(np.zeros((len(ITEMS), len(POSITIVES))))[0]
    assert sheet.outcomes["rank 1"] == 0
    assert {answer.rank for answer in sheet.answers} <= {1 + 29 / 2, 1 + 28 / 3}


def test_ranks_of_another_matrix_are_refused():
    ranks = retrieval_ranks(scores(), ITEMS, POSITIVES)
    with pytest.raises(DataError, match=r"^t2v: ranks are of 61 queries, .* \(30, 60\); evaluate"):
        retrieved(scores()[:, :60], ranks, MATCHES, 8, 0)


def draw(similarity, texts=TEXTS, picture=lambda item_id: None, queries=8):
    answers = answers_table(sheets_of(similarity, queries), texts, ITEMS)
    figure = retrieved_figure(answers, picture, "a model")
    plt.close(figure)
    return figure


def said(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_right_answers_have_a_frame_and_a_sign_and_missed_ones_their_rank():
    similarity = scores()
    figure = draw(similarity)
    by_text, by_item = sheets_of(similarity)
    shown = sum(a.missed + len(set(a.best) & set(a.right)) for a in by_text.answers)
    wide = [p for p in figure.axes[0].patches if p.get_linewidth() > 2]
    assert len(wide) == shown
    shown += sum(a.missed + len(set(a.best) & set(a.right)) for a in by_item.answers)
    texts = said(figure)
    assert texts.count(RIGHT) == shown
    missed = [answer for answer in by_text.answers if answer.missed]
    assert missed and all(f"rank\n{answer.rank:.0f}" in texts for answer in missed)
    missed = [answer for answer in by_item.answers if answer.missed]
    assert missed and all(f"{a.rank:.0f}. {TEXTS[a.right[0]]}" in texts for a in missed)
    assert shares_of(by_text.outcomes) in texts and shares_of(by_item.outcomes) in texts


def test_items_without_a_picture_are_shown_by_their_ids_and_others_are_not():
    assert not draw(scores()).axes[0].images
    picture = np.zeros((20, 10, 3), np.uint8)
    figure = draw(scores(), picture=lambda item_id: picture if int(item_id[5:]) % 2 else None)
    ids = [text for text in said(figure) if text.startswith("item ")]
    assert figure.axes[0].images and ids and all(int(name[5:]) % 2 == 0 for name in ids)
    left, right, bottom, top = figure.axes[0].images[0].get_extent()
    assert (bottom - top) == pytest.approx(2 * (right - left))  # its own proportions


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize(
    "text",
    [
        "$",
        "a $\\frac{1$ b",
        "猫が屋根の上で長い間眠っている写真です" * 4,
        "قطة على السطح",
        "🦄",
        "x" * 300,
        "a\nb",
        " ",
    ],
)
def test_any_caption_can_be_drawn(text, tmp_path):
    figure = draw(scores(), texts=[text] * len(TEXTS), queries=2)
    save_figure(figure, [tmp_path / "sheet.png", tmp_path / "sheet.svg"])
    assert (tmp_path / "sheet.png").stat().st_size > 5000


def test_long_captions_are_cut_and_wide_letters_count_twice():
    long = "a man rides a red bicycle " * 9
    figure = draw(scores(), texts=[long] * len(TEXTS))
    captions = [text for text in said(figure) if "a man rides" in text]
    assert all(text.endswith(" …") and len(text.splitlines()) <= 4 for text in captions)
    assert max(len(line) for text in captions for line in text.splitlines()) <= 52
    figure = draw(scores(), texts=["猫が眠る" * 40] * len(TEXTS))
    lines = [line for text in said(figure) for line in text.splitlines() if "猫" in line]
    assert 8 < max(map(len, lines)) <= 28


def test_the_sheet_is_the_same_every_time_and_grows_with_its_queries(tmp_path):
    for name in ("one.pdf", "two.pdf"):
        save_figure(draw(scores()), [tmp_path / name])
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()
    few, many = (draw(scores(), queries=n).get_size_inches()[1] for n in (1, 20))
    assert few < 5 < many


def test_the_table_has_every_answer_of_the_sheets_and_draws_them_again(tmp_path):
    sheets = sheets_of(scores())
    answers = answers_table(sheets, TEXTS, ITEMS)
    for sheet, names in zip(sheets, (ITEMS, TEXTS), strict=True):
        own = answers[answers["direction"] == sheet.direction]
        for number, answer in enumerate(sheet.answers, start=1):
            shown = own[(own["number"] == number) & (own["part"] == "answer")]
            placed = shown[shown["place"].notna()]
            assert placed["answer"].tolist() == [names[row] for row in answer.best]
            assert placed["right"].tolist() == [row in answer.right for row in answer.best]
            assert len(shown) == SHOWN + answer.missed and (shown["rank"] == answer.rank).all()
        ended = own[own["part"] == "outcome"]
        assert dict(zip(ended["query"], ended["queries"], strict=True)) == sheet.outcomes
    drawn = retrieved_figure(answers, lambda item_id: None, "a model")
    save_figure(drawn, [tmp_path / "one.svg", tmp_path / "one.csv"], answers, "retrieved")
    back = read_table(tmp_path / "one.csv", "retrieved")
    save_figure(retrieved_figure(back, lambda item_id: None, "a model"), [tmp_path / "two.svg"])
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
