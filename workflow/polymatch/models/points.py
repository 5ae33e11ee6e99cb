"""Points whose distances order as inner products, and as expected distances, do: for an index.

An index of nearest neighbours groups what is near, so similarities are told to it as distances. Of
vectors x no longer than 1 the point [x, sqrt(1 - |x|^2)] lies on the unit sphere, and
|[x, sqrt(1 - |x|^2)] - [q, 0]|^2 = 1 + |q|^2 - 2 <x, q>: the nearest has the largest inner product
(Bachrach et al., "Speeding up the Xbox recommender system", RecSys 2014). The expected squared
distance of a Gaussian and a caption's is |mu - q|^2 + sum(v) + sum(v'), which likewise is the
distance of [mu, sqrt(sum(v))] and [q, 0], but for the caption's own sum(v'). As an inner product it
is that of [-2 mu, |mu|^2 + sum(v)] and [q, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor


def unit_point(vectors: Tensor) -> Tensor:
    """Points [N, D + 1] on the unit sphere, of vectors [N, D] no longer than 1.

    >>> unit_point(torch.tensor([[0.6, 0.0]])).tolist()
    [[0.6000000238418579, 0.0, 0.800000011920929]]
    """
    rest = (1 - vectors.square().sum(-1, keepdim=True)).clamp(min=0)
    return torch.cat([vectors, rest.sqrt()], -1)


def distance_point(mu: Tensor, logvar: Tensor) -> Tensor:
    """Points [N, D + 1] of Gaussians, at the expected distance from a caption's mean.

    >>> distance_point(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]])).tolist()
    [[1.0, 0.0, 1.4142135381698608]]
    """
    return torch.cat([mu, logvar.exp().sum(-1, keepdim=True).sqrt()], -1)


def caption_point(vectors: Tensor) -> Tensor:
    """What a caption's vector [M, D] is among either kind of points, [M, D + 1]."""
    return torch.cat([vectors, vectors.new_zeros(len(vectors), 1)], -1)
