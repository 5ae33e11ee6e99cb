"""The probabilistic family: both sides as Gaussians, PCME by sampling or by a surrogate.

Projectors follow DESIGN section 5: ``mu = normalize(x + W2 relu(W1 x))`` and
``logvar = clamp(W4 relu(W3 x))`` with x normalised. Chun et al., "Probabilistic Embeddings for
Cross-Modal Retrieval", CVPR 2021 (PCME).

Similarities, each named in its row of the tables:

* ``mean``: cosine of the means. (What the published PCME row measured.)
* ``mc``: mean cosine over all K x K pairs of samples. A cosine is bilinear in the normalised
  samples, so the mean over pairs is the inner product of the two mean normalised samples: exact,
  and no K x K array. All items share one draw of noise and all captions another, so an item's
  score does not depend on the batch it came in, and noise does not reorder equal candidates.
* ``closed``: inner product of mu / sqrt(|mu|^2 + sum(v)).
* ``poly``: the surrogate's logit of the match probability, from the moments of the distance.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from polymatch.errors import ConfigError
from polymatch.models.model import RetrievalModel
from polymatch.settings.probabilistic import ProbabilisticSettings
from polymatch.surrogate import PolynomialSurrogate, poly_similarity

NOISE_SEED = 20_210_601


class Gaussians(NamedTuple):
    """Diagonal Gaussians: ``mu`` [N, D] of unit length, ``logvar`` [N, D]."""

    mu: Tensor
    logvar: Tensor


class Projector(nn.Module):
    """One side's projector from an embedding [N, D] to a Gaussian."""

    def __init__(self, width: int, settings: ProbabilisticSettings) -> None:
        super().__init__()
        self.bounds = (settings.min_logvar, settings.max_logvar)
        self.mu = _two_layers(width, settings)
        self.logvar = _two_layers(width, settings)

    def forward(self, x: Tensor) -> Gaussians:
        x = F.normalize(x, dim=-1)
        mu = F.normalize(x + self.mu(x), dim=-1)
        return Gaussians(mu, self.logvar(x).clamp(*self.bounds))


class Model(RetrievalModel):
    """Two projectors and the similarities between Gaussians."""

    settings: ProbabilisticSettings
    surrogate: PolynomialSurrogate | None = None

    def __init__(
        self, settings: ProbabilisticSettings, item_width: int, caption_width: int
    ) -> None:
        if item_width != caption_width:
            raise ConfigError(
                f"family probabilistic: items have width {item_width} and captions "
                f"{caption_width}; it needs embeddings of one space (set `alignment`)"
            )
        super().__init__(settings, item_width, caption_width)
        self.items = Projector(item_width, settings)
        self.captions = Projector(caption_width, settings)

    def encode_items(self, features: Tensor) -> Gaussians:
        return self.items(features)

    def encode_captions(self, features: Tensor) -> Gaussians:
        return self.captions(features)

    def similarity(self, items: Gaussians, captions: Gaussians, kind: str | None = None) -> Tensor:
        kind = kind or self.settings.scored_by[0]
        if kind == "mean":
            return items.mu @ captions.mu.T
        if kind == "closed":
            return _shrunk(items) @ _shrunk(captions).T
        if kind == "mc":
            item_noise, caption_noise = _noise(self.settings.K_test, items.mu)
            return _mean_sample(items, item_noise) @ _mean_sample(captions, caption_noise).T
        if kind == "poly":
            return poly_similarity(*items, *captions, self.required_surrogate())
        raise ConfigError(f"unknown similarity {kind!r}; allowed: mean, mc, closed, poly")

    def samples(self, kind: str | None = None) -> bool:
        return (kind or self.settings.scored_by[0]) == "mc"

    def attachments(self) -> dict[str, Any]:
        return {} if self.surrogate is None else {"surrogate": self.surrogate.to_dict()}

    def attach(self, attachments: dict[str, Any]) -> None:
        if "surrogate" in attachments:
            self.surrogate = PolynomialSurrogate.from_dict(attachments["surrogate"])

    def required_surrogate(self) -> PolynomialSurrogate:
        """The attached surrogate; ConfigError if there is none."""
        if self.surrogate is None:
            raise ConfigError("similarity 'poly' needs a surrogate, and none is attached")
        return self.surrogate


def sample(gaussians: Gaussians, noise: Tensor) -> Tensor:
    """Normalised samples [K, N, D] of N Gaussians for noise [K, 1, D] or [K, N, D]."""
    z = gaussians.mu + noise * torch.exp(0.5 * gaussians.logvar)
    return F.normalize(z, dim=-1)


def _mean_sample(gaussians: Gaussians, noise: Tensor) -> Tensor:
    # One sample at a time: K x N x D never exists.
    total = torch.zeros_like(gaussians.mu)
    for one in noise:
        total += sample(gaussians, one)
    return total / len(noise)


def _noise(samples: int, like: Tensor) -> tuple[Tensor, Tensor]:
    # Drawn on the CPU so that every device measures the same thing.
    generator = torch.Generator().manual_seed(NOISE_SEED)
    shape = (2, samples, 1, like.shape[-1])
    noise = torch.randn(shape, generator=generator).to(like.device, like.dtype)
    return noise[0], noise[1]


def _shrunk(gaussians: Gaussians) -> Tensor:
    mu, logvar = gaussians
    return mu / (mu.square().sum(-1, keepdim=True) + logvar.exp().sum(-1, keepdim=True)).sqrt()


def _two_layers(width: int, settings: ProbabilisticSettings) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, settings.hidden),
        nn.ReLU(),
        nn.Dropout(settings.dropout),
        nn.Linear(settings.hidden, width),
    )
