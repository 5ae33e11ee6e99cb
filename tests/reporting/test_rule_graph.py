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
        ["summarise", "prepare", True],
        ["summarise", "train", False],
        ["train", "prepare", False],
    ]


@pytest.mark.parametrize(
    ("dot", "message"),
    [
        ("Building DAG of jobs...", "printed no edge between rules; see its output above"),
        (
            '0[label = "a"]\n1[label = "b"]\n0 -> 1\n1 -> 0',
            "printed rules that need each other in a circle",
        ),
    ],
)
def test_what_is_no_such_graph_is_said(dot, message):
    with pytest.raises(DataError, match=f"^snakemake --rulegraph {message}$"):
        rule_edges(dot)


@given(
    st.lists(
        st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda p: p[0] < p[1]), min_size=1
    )
)
def test_every_rule_has_one_place_and_every_edge_goes_right_column_by_column(pairs):
    graph = nx.transitive_reduction(nx.DiGraph(pairs))
    edges = pd.DataFrame([(f"r{b}", f"r{a}", False) for a, b in graph.edges])
    edges.columns = ["rule", "needs", "implied"]
    columns, paths = columns_of(edges)
    rules = [rule for column in columns for rule, to in column if not to]
    assert sorted(rules) == sorted({f"r{n}" for pair in graph.edges for n in pair})
    found = set()
    for path in paths:
        assert [at for at, _ in path] == list(range(path[0][0], path[-1][0] + 1))
        first, last = (columns[at][place][0] for at, place in (path[0], path[-1]))
        found.add((last, first))
        assert all(columns[at][place] == (first, last) for at, place in path[1:-1])
    assert found == set(zip(edges["rule"], edges["needs"], strict=True))


def test_lines_that_need_not_cross_do_not():
    edges = pd.DataFrame(
        [("x", "c", False), ("y", "b", False), ("z", "a", False)],
        columns=["rule", "needs", "implied"],
    )
    columns, paths = columns_of(edges)
    assert all(path[0][1] == path[1][1] for path in paths) and len(columns) == 2
