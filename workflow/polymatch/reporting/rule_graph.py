"""Which rules need which: read from Snakemake's own ``--rulegraph``, and laid out in columns.

Drawn here, so that no Graphviz has to be there. The layout is Sugiyama's: "Methods for Visual
Understanding of Hierarchical System Structures" (IEEE SMC 1981): a rule stands in the column after
the last one that it needs, edges over several columns pass through empty places of these, and
places are sorted by the mean of their neighbours', to and fro, as long as edges cross less.

Decisions: an edge that follows from others (every stage reads the manifest) is in the table, and is
not drawn; the target itself, which only collects outputs, is in neither.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import networkx as nx
import pandas as pd

from polymatch.errors import DataError

_NODE = re.compile(r'^\s*(\d+)\s*\[label = "([^"]*)"', re.M)
_EDGE = re.compile(r"^\s*(\d+) -> (\d+)\s*$", re.M)
_SWEEPS = 24

Column: TypeAlias = "list[tuple[str, str]]"
"""Places from top to bottom: (rule, "") or, where an edge passes, (from, to)."""


def rule_edges(dot: str, target: str = "all") -> pd.DataFrame:
    """Read what ``snakemake --rulegraph`` prints for a target.

    Returns:
        A frame as ``workflow/schemas/rulegraph.schema.json`` describes it: a row for each pair of
        a ``rule`` and one that it ``needs``, sorted; ``implied`` where that follows from others.

    Raises:
        DataError: there is no edge in it, or it is no graph without circles.

    >>> rule_edges('0[label = "b", x]\\n1[label = "a", x]\\n1 -> 0').values.tolist()
    [['b', 'a', False]]
    """
    names = dict(_NODE.findall(dot))
    graph = nx.DiGraph((names[start], names[end]) for start, end in _EDGE.findall(dot))
    graph.remove_nodes_from([target])
    if not graph.edges:
        raise DataError("snakemake --rulegraph printed no edge between rules; see its output above")
    if not nx.is_directed_acyclic_graph(graph):
        raise DataError("snakemake --rulegraph printed rules that need each other in a circle")
    direct = set(nx.transitive_reduction(graph).edges)
    rows = [(end, start, (start, end) not in direct) for start, end in graph.edges]
    return pd.DataFrame(sorted(rows), columns=["rule", "needs", "implied"])


def columns_of(edges: pd.DataFrame) -> tuple[list[Column], list[list[tuple[int, int]]]]:
    """Place rules and the edges between them.

    Args:
        edges: as :func:`rule_edges` returns them; implied ones are not placed.

    Returns:
        Columns from left to right; and of each edge the places that it passes, (column, place from
        the top), both ends included.
    """
    drawn = edges[~edges["implied"]]
    graph = nx.DiGraph(zip(drawn["needs"], drawn["rule"], strict=True))
    generations = list(nx.topological_generations(graph))
    column_of = {rule: at for at, rules in enumerate(generations) for rule in rules}
    columns: list[Column] = [[(rule, "") for rule in sorted(rules)] for rules in generations]
    joined = nx.Graph()
    paths = []
    for start, end in sorted(graph.edges):
        between = range(column_of[start] + 1, column_of[end])
        for at in between:
            columns[at].append((start, end))
        nodes = [(column_of[start], (start, ""))]
        nodes += [(at, (start, end)) for at in between]
        nodes.append((column_of[end], (end, "")))
        nx.add_path(joined, nodes)
        paths.append(nodes)
    columns = _uncrossed(columns, joined)
    place = {
        (at, node): row for at, column in enumerate(columns) for row, node in enumerate(column)
    }
    return columns, [[(at, place[at, node]) for at, node in path] for path in paths]


def crossings(columns: list[Column], joined: nx.Graph) -> int:
    """How many pairs of edges between neighbouring columns cross."""
    place = {
        (at, node): row for at, column in enumerate(columns) for row, node in enumerate(column)
    }
    total = 0
    for at in range(len(columns) - 1):
        lines = [
            (place[at, node], place[other])
            for node in columns[at]
            for other in joined[at, node]
            if other[0] == at + 1
        ]
        total += sum(
            (a - c) * (b - d) < 0 for i, (a, b) in enumerate(lines) for c, d in lines[i + 1 :]
        )
    return total


def _uncrossed(columns: list[Column], joined: nx.Graph) -> list[Column]:
    best, fewest = columns, crossings(columns, joined)
    for sweep in range(_SWEEPS):
        forth = sweep % 2 == 0
        columns = [list(column) for column in columns]
        order = range(1, len(columns)) if forth else range(len(columns) - 2, -1, -1)
        for at in order:
            side = at - 1 if forth else at + 1
            place = {node: row for row, node in enumerate(columns[side])}
            own = {node: row for row, node in enumerate(columns[at])}
            means = {}
            for node in columns[at]:
                rows = [place[name] for of, name in joined[at, node] if of == side]
                # Without a neighbour there it stays about where it is.
                share = own[node] * len(columns[side]) / len(columns[at])
                means[node] = sum(rows) / len(rows) if rows else share
            columns[at].sort(key=lambda node: means[node])
        crossed = crossings(columns, joined)
        if crossed < fewest:
            best, fewest = columns, crossed
    return best
