"""Losses of the probabilistic family: sampled cosines or polynomial logits, and the variances.

Both are a symmetric cross-entropy of similarity / tau; a regulariser holds the variances.
"""

from __future__ import annotations

import torch
from torch import Tensor

from polymatch.losses.contrastive import symmetric_cross_entropy
from polymatch.models.probabilistic import Gaussians, Model, sample
from polymatch.settings.probabilistic import VarianceSettings
from polymatch.surrogate import distance_moments


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
    if settings.loss == "sampled":
        contrastive = sampled_cosine_loss(
            items, captions, positives, settings.tau, settings.K_train
        )
    else:
        ed, vd = distance_moments(*items, *captions)
        logits = model.required_surrogate().logits(ed, vd)
        contrastive = symmetric_cross_entropy(logits / settings.tau, positives)
    regulariser = variance_regulariser(items, settings.variance) + variance_regulariser(
        captions, settings.variance
    )
    loss = contrastive + settings.variance.weight * regulariser
    return {"loss": loss, "contrastive": contrastive, "variance": regulariser}


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
