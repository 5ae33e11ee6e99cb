"""The probabilistic family: both sides as Gaussians, PCME by sampling or by a surrogate.

Projectors follow DESIGN section 5: ``mu = normalize(x + W2 relu(W1 x))`` and
``logvar = clamp(W4 relu(W3 x))`` with x normalised. Chun et al., "Probabilistic Embeddings for
Cross-Modal Retrieval", CVPR 2021 (PCME); Chun, "Improved Probabilistic Image-Text
Representations", ICLR 2024 (PCME++).

Similarities, each named in its row of the tables:

* ``mean``: cosine of the means. (What the published PCME row measured.)
* ``mc``: mean cosine over all K x K pairs of samples. A cosine is bilinear in the normalised
  samples, so the mean over pairs is the inner product of the two mean normalised samples: exact,
  and no K x K array. All items share one draw of noise and all captions another, so an item's
  score does not depend on the batch it came in, and noise does not reorder equal candidates.
* ``closed``: inner product of mu / sqrt(|mu|^2 + sum(v)).
* ``poly``: the surrogate's logit of the match probability, from the moments of the distance.
* ``match``: log of PCME's match probability, the mean of sigmoid(b - a |z - z'|) over all K x K
  pairs of samples, with the a and b that were learnt (PCME, equations 2 and 4).
* ``csd``: PCME++'s closed-form sampled distance, negated: -(|mu - mu'|^2 + sum(v + v'))
  (PCME++, equation 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from polymatch.errors import ConfigError
from polymatch.models.model import RetrievalModel
from polymatch.models.points import caption_point, distance_point, unit_point
from polymatch.models.probabilistic_published import read_published
from polymatch.models.refreshed import refreshed_surrogate
from polymatch.settings.model import ModelSettings
from polymatch.settings.probabilistic import ProbabilisticSettings
from polymatch.surrogate import (
    MomentFactors,
    PolynomialSurrogate,
    caption_factors,
    distance_moments,
    item_factors,
    poly_similarity,
    similarity_of_factors,
)
from polymatch.surrogate.candidates import MOST, candidate_similarity

NOISE_SEED = 20_210_601
# Under the root of a squared distance, so that its gradient stays finite (as in PCME).
_SQUARE_FLOOR = 1e-6
# Pairs of samples that are held at once.
_NUMBERS = 1 << 22


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
        last = self.logvar[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.bias.add_(settings.init_logvar)

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
        if settings.learns_scale:
            self.scale = nn.Parameter(torch.tensor(settings.init_scale))
            self.shift = nn.Parameter(torch.tensor(settings.init_shift))

    def encode_items(self, features: Tensor) -> Gaussians:
        return self.items(features)

    def encode_captions(self, features: Tensor) -> Gaussians:
        return self.captions(features)

    def similarity(
        self,
        items: Gaussians | Tensor | MomentFactors,
        captions: Gaussians,
        kind: str | None = None,
    ) -> Tensor:
        kind = kind or self.settings.scored_by[0]
        if kind == "poly" and isinstance(items, Gaussians):
            return poly_similarity(*items, *captions, self.required_surrogate())
        prepared = self.prepare_items(items, kind) if isinstance(items, Gaussians) else items
        if isinstance(prepared, Gaussians):
            return self._match_similarity(prepared, captions)
        if isinstance(prepared, MomentFactors):
            return similarity_of_factors(
                prepared, caption_factors(*captions), self.required_surrogate()
            )
        if kind == "mean":
            return prepared @ captions.mu.T
        if kind == "closed":
            return prepared @ _shrunk(captions).T
        if kind == "csd":
            size = captions.mu.square().sum(-1) + captions.logvar.exp().sum(-1)
            return 2 * prepared[:, :-1] @ captions.mu.T - prepared[:, -1:] - size
        _, caption_noise = _noise(self.settings.K_test, captions.mu)
        return prepared @ _mean_sample(captions, caption_noise).T

    def prepare_items(
        self, items: Gaussians, kind: str | None = None
    ) -> Gaussians | Tensor | MomentFactors:
        kind = kind or self.settings.scored_by[0]
        if kind == "mean":
            return items.mu
        if kind == "closed":
            return _shrunk(items)
        if kind == "mc":
            return _mean_sample(items, _noise(self.settings.K_test, items.mu)[0])
        if kind == "poly":
            return item_factors(*items)
        if kind == "csd":
            size = items.mu.square().sum(-1) + items.logvar.exp().sum(-1)
            return torch.cat([items.mu, size[:, None]], 1)
        if kind == "match" and self.settings.learns_scale:
            return items  # K samples of each would take K times the memory
        raise ConfigError(
            f"similarity {kind!r} is not one of this model's: {', '.join(self.settings.scored_by)}"
        )

    def _match_similarity(self, items: Gaussians, captions: Gaussians) -> Tensor:
        item_noise, caption_noise = _noise(self.settings.K_test, items.mu)
        drawn = draw(captions, caption_noise)
        if torch.compiler.is_exporting():  # a graph has no blocks of rows
            return log_match_probability(draw(items, item_noise), drawn, self.scale, self.shift)
        rows = max(1, _NUMBERS // max(1, drawn.shape[0] * drawn.shape[1]))
        parts = []
        for start in range(0, len(items.mu), rows):
            some = Gaussians(items.mu[start : start + rows], items.logvar[start : start + rows])
            drawn_items = draw(some, item_noise)
            parts.append(log_match_probability(drawn_items, drawn, self.scale, self.shift))
        return torch.cat(parts) if parts else items.mu.new_zeros((0, len(captions.mu)))

    def score_candidates(
        self, items: Gaussians, caption: Gaussians, kind: str | None = None
    ) -> Tensor:
        if (kind or self.settings.scored_by[0]) == "poly" and items.mu.numel() <= MOST:
            return candidate_similarity(*items, *caption, self.required_surrogate())[:, 0]
        return super().score_candidates(items, caption, kind)

    def vectors(self, items: Gaussians, captions: Gaussians) -> tuple[Tensor, Tensor]:
        return items.mu, captions.mu

    def uncertainty(self, encoded: Gaussians) -> Tensor:
        return encoded.logvar.exp().mean(-1)

    def item_points(self, items: Gaussians, kind: str | None = None) -> Tensor:
        """Points at the expected distance, or at that of the vectors that are compared."""
        if (kind or self.settings.scored_by[0]) in ("poly", "match", "csd"):
            return distance_point(*items)
        vectors = self.prepare_items(items, kind)
        assert isinstance(vectors, Tensor)  # of every other kind
        return unit_point(vectors)

    def caption_points(self, captions: Gaussians, kind: str | None = None) -> Tensor:
        kind = kind or self.settings.scored_by[0]
        if kind == "mc":
            return caption_point(
                _mean_sample(captions, _noise(self.settings.K_test, captions.mu)[1])
            )
        return caption_point(_shrunk(captions) if kind == "closed" else captions.mu)

    def samples(self, kind: str | None = None) -> bool:
        return (kind or self.settings.scored_by[0]) in ("mc", "match")

    def attachments(self) -> dict[str, Any]:
        return {} if self.surrogate is None else {"surrogate": self.surrogate.to_dict()}

    def attach(self, attachments: dict[str, Any]) -> None:
        if "surrogate" in attachments:
            surrogate = PolynomialSurrogate.from_dict(attachments["surrogate"])
            surrogate.check_width(self.widths[0])
            self.surrogate = surrogate

    def before_epoch(self, epoch: int, sample: Callable[[], tuple[Tensor, Tensor, Tensor]]) -> None:
        refresh = self.settings.refresh
        if refresh is None or (epoch - 1) % refresh.every:
            return
        items, captions, pairs = sample()
        # Half the pairs as they are scored, half as dropout makes them in training.
        sides = []
        for training in (False, True):
            self.train(training)
            with torch.no_grad():
                sides.append((self.items(items), self.captions(captions)))
        self.surrogate = refreshed_surrogate(
            self.required_surrogate(), sides, pairs, refresh, self.settings, epoch
        )

    def diagnostics(self, items: Gaussians, captions: Gaussians) -> dict[str, float]:
        """Where the variances are, and the share of pairs that the surrogate was not fitted for.

        ``logvar`` is the mean log-variance of both sides, ``logvar_low`` and ``logvar_high`` the
        shares (0 to 1) at the lower and the upper bound, ``outside_share`` that of the pairs.
        """
        logvar = torch.cat([items.logvar, captions.logvar])
        low, high = self.settings.min_logvar, self.settings.max_logvar
        figures = {
            "logvar": float(logvar.mean()),
            "logvar_low": float((logvar <= low).float().mean()),
            "logvar_high": float((logvar >= high).float().mean()),
        }
        if self.surrogate is not None:
            moments = distance_moments(*items, *captions)
            figures["outside_share"] = self.surrogate.region.outside_share(*moments)
        return figures

    def adopt(self, settings: ModelSettings) -> None:
        assert isinstance(settings, ProbabilisticSettings)  # the family's own
        for key in ("hidden", "min_logvar", "max_logvar"):
            ours, theirs = getattr(self.settings, key), getattr(settings, key)
            if ours != theirs:
                raise ConfigError(
                    f"{settings.published_checkpoint}: has {key} {ours}, but the model's entry "
                    f"says {theirs}; set `{key}: {ours}`"
                )
        if "poly" in settings.similarities and self.surrogate is None:
            raise ConfigError(
                f"{settings.published_checkpoint}: has no polynomial, which similarity 'poly' "
                "needs; name the file of fit_poly as `published_poly`"
            )
        self.settings = settings

    def required_surrogate(self) -> PolynomialSurrogate:
        """The attached surrogate; ConfigError if there is none."""
        if self.surrogate is None:
            raise ConfigError("similarity 'poly' needs a surrogate, and none is attached")
        return self.surrogate


def draw(gaussians: Gaussians, noise: Tensor) -> Tensor:
    """Samples [K, N, D] of N Gaussians for noise [K, 1, D] or [K, N, D]."""
    return gaussians.mu + noise * torch.exp(0.5 * gaussians.logvar)


def load_published(path: Path | str, poly: Path | str | None = None) -> Model:
    """Return the model that a checkpoint of the published code holds, ready to encode.

    Its ``video`` projector encodes items, its ``text`` projector captions. ``poly`` is the file of
    ``fit_poly`` for a checkpoint that was saved without its polynomial (or with another one).
    Settings are those of its ``config``, as far as it has one.

    Raises:
        DataError: a file is missing, broken, or not one of the published code; what is wrong with
            it is named.
    """
    published = read_published(path, poly)
    model = Model(published.settings, published.width, published.width)
    model.load_state_dict(published.weights)
    model.surrogate = published.surrogate
    return model.eval()


def sample(gaussians: Gaussians, noise: Tensor) -> Tensor:
    """Samples as :func:`draw` gives them, normalised."""
    return F.normalize(draw(gaussians, noise), dim=-1)


def closed_form_distance(items: Gaussians, captions: Gaussians) -> Tensor:
    """|mu - mu'|^2 + sum(v + v') of every item and caption, [N, M]: the mean squared distance."""
    rows = items.mu.square().sum(-1) + items.logvar.exp().sum(-1)
    columns = captions.mu.square().sum(-1) + captions.logvar.exp().sum(-1)
    return rows[:, None] + columns - 2 * items.mu @ captions.mu.T


def log_match_probability(
    items: Tensor, captions: Tensor, scale: Tensor, shift: Tensor, sign: Tensor | int = 1
) -> Tensor:
    """log p, [N, M], with p the mean of sigmoid(shift - scale |z - z'|); log(1 - p) for sign -1.

    ``sign`` may be [N, M], one for each pair.

    ``items`` [K, N, D] and ``captions`` [K', M, D] are samples, every one of which meets every
    other; a K x N x K' x M array never exists.
    """
    parts = []
    for one in items:
        square = one.square().sum(-1)[:, None] + captions.square().sum(-1)[:, None, :]
        square = square - 2 * one @ captions.mT
        logit = shift - scale * (square.clamp(min=0) + _SQUARE_FLOOR).sqrt()
        parts.append(F.logsigmoid(sign * logit).logsumexp(0))
    return torch.stack(parts).logsumexp(0) - math.log(len(items) * len(captions))


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
