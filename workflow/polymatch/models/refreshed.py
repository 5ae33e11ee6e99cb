"""The refreshed surrogate: refitted, as a head trains, to the moments that the head itself gives.

A teacher made before training has to guess where a head will go. One made of the head's own
Gaussians need not: every few epochs pairs of the training set, matched and random, are labelled
with the match probability (as a rule from their moments alone) and the polynomial is fitted
again, with the scale, shift, degree and ridge that it had. Not published; DESIGN section 5 has the
mathematics.

A head's variances are all much alike, so its own moments lie in a strip that the next epoch of
training leaves altogether. Each item's and caption's log-variances are therefore moved up or down
by up to a margin, wide enough for what training changes before the next refit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from polymatch.settings.probabilistic import ProbabilisticSettings, RefreshSettings
from polymatch.surrogate import PolynomialSurrogate, build_teacher

if TYPE_CHECKING:
    from polymatch.models.probabilistic import Gaussians


def refreshed_surrogate(
    surrogate: PolynomialSurrogate,
    encodings: list[tuple[Gaussians, Gaussians]],
    pairs: Tensor,
    refresh: RefreshSettings,
    settings: ProbabilisticSettings,
    epoch: int,
) -> PolynomialSurrogate:
    """Fit ``surrogate`` again, to a head's own pairs.

    Args:
        surrogate: the last one; its teacher's scale and shift are kept.
        encodings: (items [N, D], captions [M, D]) of the training set, once for each way that the
            head encodes them; the pairs are drawn from each in equal parts.
        pairs: [M], each caption's item.
        refresh: how many pairs, of which kind, and the estimator.
        settings: the head's degree and ridge.
        epoch: seed of the draw, so that the same run gives the same surrogate.

    Raises:
        NumericsError: the surrogate's teacher has no scale, or an encoding is not finite.
    """
    matched = pairs.cpu().numpy()
    generator = torch.Generator().manual_seed(epoch)
    teachers = [
        build_teacher(
            items.mu,
            captions.mu,
            source="pcme",
            log_variance=(
                _spread(items.logvar, refresh.margin, generator),
                _spread(captions.logvar, refresh.margin, generator),
            ),
            pairs=refresh.n_pairs // len(encodings),
            estimator=refresh.estimator,
            scale=surrogate.teacher["scale"],
            shift=surrogate.teacher["shift"],
            seed=1000 * epoch + way,
            matched=matched,
            matched_share=refresh.matched_share,
            progress=False,
        )
        for way, (items, captions) in enumerate(encodings)
    ]
    ed, vd, probability, logit = (
        np.concatenate([getattr(teacher, name) for teacher in teachers])
        for name in ("ed", "vd", "probability", "logit")
    )
    metadata = teachers[0].metadata | {
        "source": f"the head itself, before epoch {epoch}",
        "pairs": len(ed),
    }
    with torch.no_grad():
        return PolynomialSurrogate.fit(
            ed,
            vd,
            probability,
            settings.degree,
            settings.alpha,
            logit=logit,
            teacher=metadata,
        )


def _spread(logvar: Tensor, margin: float, generator: torch.Generator) -> Tensor:
    """Move each row of log-variances [N, D], as a whole, by a number from -margin to margin."""
    moved = (2 * torch.rand(len(logvar), 1, generator=generator) - 1) * margin
    return logvar + moved.to(logvar.device)
