"""Moments of the distance, the match probability, its teacher and the polynomial surrogate."""

from polymatch.surrogate.certificate import certificate
from polymatch.surrogate.moments import (
    MomentFactors,
    caption_factors,
    distance_moments,
    item_factors,
    paired_distance_moments,
)
from polymatch.surrogate.polynomial import PolynomialSurrogate
from polymatch.surrogate.probability import (
    log_probability_from_moments,
    match_logit,
    match_probability,
)
from polymatch.surrogate.published import surrogate_from_published
from polymatch.surrogate.ranking import ranking_certificate
from polymatch.surrogate.region import FittedRegion
from polymatch.surrogate.similarity import poly_similarity, similarity_of_factors
from polymatch.surrogate.teacher import Teacher, build_teacher, configured_teacher

__all__ = [
    "FittedRegion",
    "MomentFactors",
    "PolynomialSurrogate",
    "Teacher",
    "build_teacher",
    "caption_factors",
    "certificate",
    "configured_teacher",
    "distance_moments",
    "item_factors",
    "log_probability_from_moments",
    "match_logit",
    "match_probability",
    "paired_distance_moments",
    "poly_similarity",
    "ranking_certificate",
    "similarity_of_factors",
    "surrogate_from_published",
]
