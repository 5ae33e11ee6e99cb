"""Mean reciprocal rank of the best-ranked right answer, in percent.

Source: Voorhees, "The TREC-8 Question Answering Track Report" (1999). Under random tie-breaking
the best of p positives comes after j of the t negatives that it is tied with, with probability
``C(t + p - j - 1, p - 1) / C(t + p, p)``; the reciprocal's expectation is summed over j. It is not
the reciprocal of the expected rank, which is smaller.
"""

from __future__ import annotations

import numpy as np

from polymatch.evaluation.ranks import DirectionRanks


def per_query(ranks: DirectionRanks) -> np.ndarray:
    """100 times the expected reciprocal rank, [Q].

    >>> from polymatch.evaluation import retrieval_ranks
    >>> ranks = retrieval_ranks([[0.9, 0.1], [0.2, 0.1]], ["a", "b"], ["a", "b"])
    >>> per_query(ranks.t2v)
    array([100.,  75.])
    """
    negatives, positives = ranks.tied_negatives, ranks.tied_positives
    expected = np.zeros(len(negatives))
    # Chance that each of the first j places of the tied group holds a negative.
    none_yet = np.ones(len(negatives))
    for j in range(int(negatives.max(initial=0)) + 1):
        still = np.flatnonzero(negatives >= j)
        left = negatives[still] - j + positives[still]
        expected[still] += none_yet[still] * positives[still] / left / (ranks.better[still] + 1 + j)
        none_yet[still] *= (negatives[still] - j) / left
    return 100.0 * expected
