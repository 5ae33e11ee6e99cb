"""Which rules need which: read from Snakemake's own ``--rulegraph``, and laid out in columns.

Drawn here, so that no Graphviz has to be there. The layout is Sugiyama's: "Methods for Visual
Understanding of Hierarchical System Structures" (IEEE SMC 1981): a rule stands in the column after
the last one that it needs, edges over several columns pass through empty places of these, and
places are sorted by the mean of their neighbours', to and fro, as long as edges cross less.

Decisions: an edge that follows from others (every stage reads the manifest) is in the table, and is
not drawn; the target itself, which only collects outputs, is in neither. Rules may need each other
in a circle, job by job (a teacher from a trained run), or themselves (a model from its members): an
edge that closes a circle against the order in which rules are written goes back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

import networkx as nx
import pandas as pd

from polymatch.errors import DataError

_NODE = re.compile(r'^\s*(\d+)\s*\[label = "([^"]*)"', re.M)
_EDGE = re.compile(r"^\s*(\d+) -> (\d+)\s*$", re.M)
_SWEEPS = 24

Column: TypeAlias = "list[tuple[str, str]]"
"""Places from top to bottom: (rule, "") or, where an edge passes, (from, to)."""
Edge: TypeAlias = "tuple[str, str]"


def rule_edges(dot: str, order: Sequence[str] = (), target: str = "all") -> pd.DataFrame:
    """Read what ``snakemake --rulegraph`` prints for a target.

    Args:
        dot: the graph.
        order: of the rules as they are written; others come last.
        target: rule that is left out.

    Returns:
        A frame as ``workflow/schemas/rulegraph.schema.json`` describes it: a row for each pair of
        a ``rule`` and one that it ``needs``, sorted, and its ``kind``: ``forward``, ``back``,
        ``itself``, or ``implied`` where it follows from others.

    Raises:
        DataError: there is no edge in it.

    >>> rule_edges('0[label = "b", x]\\n1[label = "a", x]\\n1 -> 0').values.tolist()
    [['b', 'a', 'forward']]
    """
    names = dict(_NODE.findall(dot))
    graph = nx.DiGraph((names[start], names[end]) for start, end in _EDGE.findall(dot))
    graph.remove_nodes_from([target])
    if not graph.edges:
        raise DataError("snakemake --rulegraph printed no edge between rules; see its output above")
    kinds = {(start, end): "itself" for start, end in graph.edges if start == end}
    forward = nx.DiGraph(edge for edge in graph.edges if edge not in kinds)
    place = {rule: at for at, rule in enumerate([*order, *sorted(set(graph) - set(order))])}
    while not nx.is_directed_acyclic_graph(forward):
        closing = max(nx.find_cycle(forward), key=lambda edge: place[edge[0]] - place[edge[1]])
        kinds[closing] = "back"
        forward.remove_edge(*closing)
    direct = set(nx.transitive_reduction(forward).edges)
    kinds |= {edge: "forward" if edge in direct else "implied" for edge in forward.edges}
    rows = sorted((end, start, kind) for (start, end), kind in kinds.items())
    return pd.DataFrame(rows, columns=["rule", "needs", "kind"])


def columns_of(edges: pd.DataFrame) -> tuple[list[Column], dict[Edge, list[tuple[int, int]]]]:
    """Place rules and the edges between them.

    Args:
        edges: as :func:`rule_edges` returns them; implied ones are not placed, nor are those of a
            rule with itself.

    Returns:
        Columns from left to right; and by (needed, rule) the places that each edge passes, (column,
        place from the top), both ends included, from left to right.
    """
    graph, back = nx.DiGraph(), set()
    for rule, needed, kind in edges[["rule", "needs", "kind"]].itertuples(index=False):
        if kind == "forward":
            graph.add_edge(needed, rule)
        elif kind == "back":
            graph.add_edge(rule, needed)
            back.add((rule, needed))
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
    found = {}
    for path in paths:
        edge = path[0][1][0], path[-1][1][0]
        named = edge[::-1] if edge in back else edge
        found[named] = [(at, place[at, node]) for at, node in path]
    return columns, found


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
