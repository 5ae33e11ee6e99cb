"""The graph of the rules: what is read of Snakemake's own, and where rules are placed."""

import networkx as nx
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.tables import check_table, load_schema
from polymatch.errors import DataError
from polymatch.reporting.rule_graph import columns_of, rule_edges

# What `snakemake --rulegraph` prints.
DOT = """digraph snakemake_dag {
    graph[bgcolor=white, margin=0];
    node[shape=box, style=rounded, fontname=sans, fontsize=10, penwidth=2];
    edge[penwidth=2, color=grey];
\t0[label = "all", color = "0.00 0.6 0.85", style="rounded"];
\t1[label = "summarise", color = "0.33 0.6 0.85", style="rounded"];
\t2[label = "prepare", color = "0.17 0.6 0.85", style="rounded"];
\t10[label = "train", color = "0.17 0.6 0.85", style="rounded"];
\t1 -> 0
\t2 -> 0
\t2 -> 1
\t10 -> 1
\t2 -> 10
}
"""


def test_edges_are_those_that_snakemake_prints_and_implied_ones_are_said():
    edges = rule_edges(DOT)
    check_table(edges, load_schema("rulegraph"), "edges")
    assert edges.to_numpy().tolist() == [
        ["summarise", "prepare", "implied"],
        ["summarise", "train", "forward"],
        ["train", "prepare", "forward"],
    ]


def test_what_is_no_graph_is_said():
    message = r"^snakemake --rulegraph printed no edge between rules; see its output above$"
    with pytest.raises(DataError, match=message):
        rule_edges("Building DAG of jobs...")


def test_a_circle_is_closed_by_the_edge_against_the_order_of_the_rules():
    names = ["teach", "fit", "train", "score"]
    pairs = [("teach", "fit"), ("fit", "train"), ("train", "teach"), ("train", "train")]
    pairs.append(("train", "score"))
    lines = [f'{at}[label = "{name}", x]' for at, name in enumerate(names)]
    lines += [f"{names.index(start)} -> {names.index(end)}" for start, end in pairs]
    edges = rule_edges("\n".join(lines), names)
    check_table(edges, load_schema("rulegraph"), "edges")
    kinds = edges.set_index(["needs", "rule"])["kind"].to_dict()
    assert kinds == dict.fromkeys(pairs, "forward") | {
        ("train", "teach"): "back",
        ("train", "train"): "itself",
    }
    columns, paths = columns_of(edges)
    assert [[rule for rule, to in column if not to] for column in columns] == [[n] for n in names]
    # From left to right, though it is drawn from right to left.
    assert [at for at, _ in paths["train", "teach"]] == [0, 1, 2]
    assert ("train", "train") not in paths


@given(
    st.lists(
        st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda p: p[0] < p[1]), min_size=1
    )
)
def test_every_rule_has_one_place_and_every_edge_goes_right_column_by_column(pairs):
    graph = nx.transitive_reduction(nx.DiGraph(pairs))
    edges = pd.DataFrame([(f"r{b}", f"r{a}", "forward") for a, b in graph.edges])
    edges.columns = ["rule", "needs", "kind"]
    columns, paths = columns_of(edges)
    rules = [rule for column in columns for rule, to in column if not to]
    assert sorted(rules) == sorted({f"r{n}" for pair in graph.edges for n in pair})
    found = set()
    for edge, path in paths.items():
        assert [at for at, _ in path] == list(range(path[0][0], path[-1][0] + 1))
        first, last = (columns[at][place][0] for at, place in (path[0], path[-1]))
        assert edge == (first, last)
        found.add((last, first))
        assert all(columns[at][place] == (first, last) for at, place in path[1:-1])
    assert found == set(zip(edges["rule"], edges["needs"], strict=True))


def test_lines_that_need_not_cross_do_not():
    edges = pd.DataFrame(
        [("x", "c", "forward"), ("y", "b", "forward"), ("z", "a", "forward")],
        columns=["rule", "needs", "kind"],
    )
    columns, paths = columns_of(edges)
    assert all(path[0][1] == path[1][1] for path in paths.values()) and len(columns) == 2
