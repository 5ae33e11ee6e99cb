"""Losses of the probabilistic family, and the regularisers that hold the variances.

``sampled``, ``poly`` and ``mean`` are a symmetric cross-entropy of similarity / tau; ``soft`` is
PCME's soft contrastive loss on match probabilities (Chun et al., CVPR 2021, equations 2 to 4) and
``pcmepp`` PCME++'s loss on a closed-form distance (Chun, ICLR 2024, equations 1 to 3), both with a
learnt scale a and shift b of the distance.

Deviations from the published PCME: both directions share one draw of samples, whose loss is then
the same; sums over pairs are divided by the number of items; the sigmoid is the plain one, so that
its a and b are twice theirs. From PCME++: with several positives in a row, whatever is as near as
one of them is a pseudo-positive (the published code asks the first); mixed samples are off.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from polymatch.data.batch import Batch
from polymatch.losses.contrastive import symmetric_cross_entropy
from polymatch.losses.loss import Loss
from polymatch.models.probabilistic import (
    Gaussians,
    Model,
    closed_form_distance,
    draw,
    log_match_probability,
    sample,
)
from polymatch.settings.probabilistic import VarianceSettings
from polymatch.surrogate import distance_moments


class TrainingLoss(Loss):
    """The loss that the model's settings name, on the Gaussians of a batch."""

    def forward(self, model: Model, batch: Batch) -> dict[str, Tensor]:
        items, captions = model.encode_batch(batch)
        return training_loss(model, items, captions, batch.positives)


def training_loss(
    model: Model, items: Gaussians, captions: Gaussians, positives: Tensor
) -> dict[str, Tensor]:
    """Loss of a batch of encoded items and captions, and its parts.

    Args:
        model: the model; its settings name the loss.
        items: Gaussians of N items. captions: Gaussians of M captions.
        positives: [N, M], true where caption and item match.

    Returns:
        ``loss`` (what is minimised), ``contrastive`` and ``variance``: scalars.
    """
    settings = model.settings
    contrastive = _contrastive(model, items, captions, positives)
    regulariser = variance_regulariser(items, settings.variance) + variance_regulariser(
        captions, settings.variance
    )
    loss = contrastive + settings.variance.weight * regulariser
    return {"loss": loss, "contrastive": contrastive, "variance": regulariser}


def _contrastive(model: Model, items: Gaussians, captions: Gaussians, positives: Tensor) -> Tensor:
    settings = model.settings
    match settings.loss:
        case "sampled":
            return sampled_cosine_loss(items, captions, positives, settings.tau, settings.K_train)
        case "soft":
            return soft_contrastive_loss(
                items, captions, positives, model.scale, model.shift, settings.K_train
            )
        case "pcmepp":
            return closed_form_loss(
                items, captions, positives, model.scale, model.shift, settings.pseudo_weight
            )
        case "mean":
            return _mean_loss(items, captions, positives, settings.tau)
        case "poly":
            ed, vd = distance_moments(*items, *captions)
            logits = model.required_surrogate().logits(ed, vd)
            loss = symmetric_cross_entropy(logits / settings.tau, positives)
            if settings.mean_weight:
                of_means = _mean_loss(items, captions, positives, settings.tau)
                loss = loss + settings.mean_weight * of_means
            return loss


def _mean_loss(items: Gaussians, captions: Gaussians, positives: Tensor, tau: float) -> Tensor:
    return symmetric_cross_entropy(items.mu @ captions.mu.T / tau, positives)


def soft_contrastive_loss(
    items: Gaussians,
    captions: Gaussians,
    positives: Tensor,
    scale: Tensor,
    shift: Tensor,
    samples: int,
) -> Tensor:
    """PCME's loss: -log p of pairs that match and -log(1 - p) of the others, summed per item.

    p is the mean of sigmoid(shift - scale |z - z'|) over ``samples`` x ``samples`` pairs.
    """
    drawn = (
        draw(items, torch.randn(samples, *items.mu.shape, device=items.mu.device)),
        draw(captions, torch.randn(samples, *captions.mu.shape, device=captions.mu.device)),
    )
    sign = 2 * positives.to(items.mu.dtype) - 1
    return -log_match_probability(*drawn, scale, shift, sign).sum() / len(positives)


def closed_form_loss(
    items: Gaussians,
    captions: Gaussians,
    positives: Tensor,
    scale: Tensor,
    shift: Tensor,
    pseudo_weight: float,
) -> Tensor:
    """PCME++'s loss: binary cross-entropy of shift - scale * distance, with pseudo-positives.

    A caption that is at least as near to an item as one of its own captions is a pseudo-positive
    (PCME++, section 3.3), and the other way round; both are added with ``pseudo_weight``.
    """
    logits = shift - scale * closed_form_distance(items, captions)
    loss = 2 * F.binary_cross_entropy_with_logits(logits, positives.to(logits.dtype))
    if not pseudo_weight:
        return loss
    farthest = logits.detach().masked_fill(~positives, torch.inf)
    for axis in (0, 1):
        near = logits.detach() >= farthest.amin(axis, keepdim=True)
        pseudo = F.binary_cross_entropy_with_logits(logits, (positives | near).to(logits.dtype))
        loss = loss + pseudo_weight * pseudo
    return loss


def sampled_cosine_loss(
    items: Gaussians, captions: Gaussians, positives: Tensor, tau: float, samples: int
) -> Tensor:
    """Mean over ``samples`` draws of the cross-entropy of the samples' cosines / tau."""
    item_samples = sample(items, torch.randn(samples, *items.mu.shape, device=items.mu.device))
    caption_samples = sample(
        captions, torch.randn(samples, *captions.mu.shape, device=captions.mu.device)
    )
    return symmetric_cross_entropy(item_samples @ caption_samples.mT / tau, positives)


def variance_regulariser(gaussians: Gaussians, settings: VarianceSettings) -> Tensor:
    """Penalty on the variances of one side, a scalar; zero for ``none``."""
    mu, logvar = gaussians
    variance = logvar.exp()
    match settings.kind:
        case "kl":
            return -0.5 * (1 + logvar - mu.square() - variance).mean()
        case "upper":
            return (variance - settings.max_var).relu().mean()
        case "lower":
            return (settings.min_var - variance).relu().mean()
        case "target":
            return ((0.5 * logvar).exp() - settings.target_sigma).square().mean()
        case "penalty":
            return variance.mean()
        case "none":
            return logvar.new_zeros(())
