"""Similarity graph reasoning (SGR): every alignment of a pair asks all others, some steps long.

Diao et al., AAAI 2021, section 3.3. Of x_p, a node of the graph, each step makes

    relu(W_g sum_q softmax_q((W_q x_p + b_q) . (W_k x_q + b_k)) x_q + b_g)

and after the last one node 0, the pair's global alignment, is what counts. The same in fewer
products: what depends on p alone does not change a softmax over q, so (W_k^T (W_q x_p + b_q)) . x_q
will do, one linear layer of folded weights instead of two; and the last step is taken for node 0
alone. The offset b_k of the published code has no influence and no gradient, and is left out.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from polymatch.models.alignment.layers import linear


class Step(NamedTuple):
    """A step's weights, folded: what a node asks for, and what is made of the answer."""

    asked: tuple[Tensor, Tensor]
    made: nn.Linear


class GraphStep(nn.Module):
    """One step of reasoning."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = linear(width, width)
        self.key = linear(width, width, bias=False)
        self.graph = linear(width, width)

    def folded(self) -> Step:
        key = self.key.weight
        return Step((key.T @ self.query.weight, self.query.bias @ key), self.graph)


class GraphReasoning(nn.Module):
    """``steps`` steps over graphs of fully connected nodes."""

    def __init__(self, width: int, steps: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(GraphStep(width) for _ in range(steps))

    def folded(self) -> list[Step]:
        """The steps' weights; to be made once for all blocks of pairs."""
        return [step.folded() for step in self.steps if isinstance(step, GraphStep)]

    def forward(self, nodes: Tensor, steps: list[Step]) -> Tensor:
        """Nodes [P, K, S] of P graphs -> node 0 of each after the last step, [P, S]."""
        for step in steps[:-1]:
            nodes = _take(step, nodes, nodes)
        return _take(steps[-1], nodes[:, :1], nodes)[:, 0]


def _take(step: Step, own: Tensor, nodes: Tensor) -> Tensor:
    """A step for the nodes ``own`` [P, k, S], which hear all ``nodes`` [P, K, S]."""
    edges = torch.softmax(torch.bmm(F.linear(own, *step.asked), nodes.transpose(1, 2)), 2)
    return F.relu(step.made(torch.bmm(edges, nodes)), inplace=True)
