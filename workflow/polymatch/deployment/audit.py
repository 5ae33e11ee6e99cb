"""What a similarity asks of hardware: operators counted on the graphs of the model's three calls.

An analog array multiplies a vector by a matrix that was programmed into it. So a matrix product
counts as ``weights`` (an operand is made of parameters alone), as ``gallery`` (an operand is made
of the items alone: programmed once for each gallery) or as a product of two ``activations``, which
no array does. Sampling (random numbers, or arithmetic with stored draws), softmax and sorting
cannot be done in an array either; ``nonlinear`` (exp, log, sigmoid, square root, norm, division)
and ``elementwise`` (additions and multiplications, among them a polynomial's) are digital work
beside it. Copies and views are ``movement`` and cost nothing here.

Matrix products are counted in multiply-accumulates, everything else in numbers worked on. What an
item needs before any query comes (its encoding and what the scorer makes of it alone) is done once
for each gallery: a figure per query leaves it out, and one per pair also leaves out what the query
needs alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.fx import Node

from polymatch.data.splits import RetrievalSet
from polymatch.deployment import operators
from polymatch.deployment.graphs import STAGES, ModelGraphs, node_origins, run_graph
from polymatch.device import on_device

CATEGORIES = (
    "weights",
    "gallery",
    "activations",
    operators.SAMPLING,
    operators.SOFTMAX,
    operators.SORT,
    operators.NONLINEAR,
    operators.ELEMENTWISE,
    operators.UNKNOWN,
)
_ONCE, _QUERY, _PAIR = "gallery", "query", "pair"


@dataclass(frozen=True)
class Audit:
    """``record`` is flat, for JSON; ``table`` has a row for each operator, stage and category."""

    record: dict[str, Any]
    table: pd.DataFrame


def audit(graphs: ModelGraphs, data: RetrievalSet) -> Audit:
    """Count the operators that scoring ``data`` takes, by running the graphs on it.

    The record has, for each category, ``<category>_total``, ``<category>_per_query`` (without
    what is done once for the gallery) and ``<category>_per_pair``; ``weights_values`` and
    ``gallery_values`` (numbers programmed into arrays), ``samples`` (whether the similarity
    samples) with ``draws``, ``unknown_operators`` by name, and ``n_items``, ``n_captions``.
    The table's columns are those of ``workflow/schemas/operators.schema.json``.
    """
    counter = _Counter(graphs)
    items = counter.run("items", [on_device(data.items)])
    captions = counter.run("captions", [on_device(data.captions)])
    counter.run("scorer", [*items, *captions])
    rows = counter.rows()
    table = pd.DataFrame(rows, columns=["stage", "done", "operator", "category", "count", "work"])
    n_items, n_captions = len(data.item_ids), len(data.texts)
    record: dict[str, Any] = {"n_items": n_items, "n_captions": n_captions}
    for name in CATEGORIES:
        work = table[table["category"] == name].groupby("done")["work"].sum()
        pair, query, once = (int(work.get(done, 0)) for done in (_PAIR, _QUERY, _ONCE))
        record[f"{name}_total"] = pair + query + once
        record[f"{name}_per_query"] = (pair + query) / n_captions
        record[f"{name}_per_pair"] = pair / (n_items * n_captions)
    unknown = table.loc[table["category"] == operators.UNKNOWN, "operator"]
    record["weights_values"] = counter.programmed["weights"]
    record["gallery_values"] = counter.programmed["gallery"]
    record["samples"] = graphs.samples or record["sampling_total"] > 0
    record["draws"] = graphs.draws
    record["unknown_operators"] = ", ".join(sorted(set(unknown)))
    return Audit(record, table)


def product_kind(node: Node, origins: Mapping[Node, frozenset[str]]) -> str:
    """Return ``weights``, ``gallery`` or ``activations`` for a node that is a matrix product."""
    sides = [origins[operand] for operand in factors(node)]
    if any(side <= {"weights"} for side in sides):
        return "weights"
    if "captions" in sides[0] ^ sides[1]:
        return "gallery"
    return "activations"


def stored_factor(node: Node, origins: Mapping[Node, frozenset[str]], kind: str) -> int:
    """Return which factor of a ``weights`` or ``gallery`` product is programmed: 0 or 1."""
    first = origins[factors(node)[0]]
    return 0 if (first <= {"weights"} if kind == "weights" else "captions" not in first) else 1


def factors(node: Node) -> tuple[Node, Node]:
    """Return the two factors of a matrix product; ``addmm`` has what is added before them."""
    first, second = node.args[-2:]
    assert isinstance(first, Node) and isinstance(second, Node)
    return first, second


class _Counter:
    def __init__(self, graphs: ModelGraphs) -> None:
        self.graphs = graphs
        self.found: Counter[tuple[str, str, str, str]] = Counter()
        self.work: Counter[tuple[str, str, str, str]] = Counter()
        self.programmed: Counter[str] = Counter()

    def run(self, stage: str, inputs: list[Tensor]) -> list[Tensor]:
        """Run one of the graphs, count its operators and return its outputs."""
        program = self.graphs.programs[stage]
        n_items = {"items": 1, "captions": 0, "scorer": len(self.graphs.encoded["items"])}[stage]
        origins = node_origins(program, n_items)
        stored: set[tuple[str, Node]] = set()

        def visit(
            node: Node, args: tuple[Any, ...], kwargs: Mapping[str, Any], compute: Callable[[], Any]
        ) -> Any:
            value = compute()
            kind = operators.category(node, value)
            if kind == operators.MOVEMENT:
                return value
            if kind == operators.PRODUCT:
                kind = self._product(node, args, stage, origins, stored)
            elif any("draws" in origins[x] and len(origins[x]) == 1 for x in node.all_input_nodes):
                kind = operators.SAMPLING
            key = (stage, _when(origins[node]), operators.operator_name(node), kind)
            self.found[key] += 1
            self.work[key] += operators.operations(node, args, value)
            return value

        with torch.inference_mode():
            outputs = run_graph(program, inputs, visit)
        return list(outputs) if isinstance(outputs, tuple | list) else [outputs]

    def _product(
        self,
        node: Node,
        args: tuple[Any, ...],
        stage: str,
        origins: Mapping[Node, frozenset[str]],
        stored: set[tuple[str, Node]],
    ) -> str:
        # In the encoders nothing is stored but the weights: an item is encoded, not searched.
        kind = product_kind(node, origins)
        if kind == "gallery" and stage != "scorer":
            return "activations"
        if kind in ("weights", "gallery"):
            side = stored_factor(node, origins, kind)
            operand = factors(node)[side]
            if (kind, operand) not in stored:
                stored.add((kind, operand))
                self.programmed[kind] += args[-2:][side].numel()
        return kind

    def rows(self) -> list[tuple[str, str, str, str, int, int]]:
        order = {stage: place for place, stage in enumerate(STAGES)}
        keys = sorted(self.found, key=lambda key: (order[key[0]], *key[1:]))
        return [(*key, self.found[key], self.work[key]) for key in keys]


def _when(origins: frozenset[str]) -> str:
    """Whether work is done once for the gallery, for each query, or for each pair."""
    if "captions" not in origins:
        return _ONCE
    return _PAIR if "items" in origins else _QUERY
