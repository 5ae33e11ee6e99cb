"""Semantic similarity of items and texts: how alike a text and an item's captions are in words.

The similarity of item i and text t is the mean cosine of t's TF-IDF vector with those of i's
captions (Li et al., "A Differentiable Semantic Metric Approximation in Probabilistic Embedding for
Cross-Modal Retrieval", NeurIPS 2022, section 3.3), from 0 to 1. Since the mean of products is the
product with the mean, an item is one vector: the mean of its captions'.

Deviations from the published code: vectors stay sparse, where it keeps a dense float64 row a
caption (of COCO's size, 566,747 captions and 27,000 words: 86 MB instead of 122 GB); an item may
have any number of captions, in any order, where it takes five in a row. Words are split by
scikit-learn's own rule, as there: two letters or more, any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polymatch.errors import DataError

if TYPE_CHECKING:
    # Evaluation takes a matrix from here and can do without torch, which costs seconds to import.
    from torch import Tensor


class _Vectors(NamedTuple):
    items: Any
    texts: Any


class Semantics:
    """Semantic similarity over a whole set of captions; nothing is computed before its first use.

    Args:
        wording: the distinct texts.
        item_rows: [M], the item row of every caption. texts: [M], which of ``wording`` it is.

    Raises:
        DataError: from any use: no text has a word of two letters.

    >>> semantics = Semantics(["red heart", "blue heart", "a tree"], [0, 0, 1], [0, 1, 2])
    >>> print(semantics.matrix().toarray().round(2))
    [[0.68 0.68 0.  ]
     [0.   0.   1.  ]]
    """

    def __init__(self, wording: Sequence[str], item_rows: ArrayLike, texts: ArrayLike) -> None:
        self._wording = wording
        self._item_rows, self._texts = _rows(item_rows), _rows(texts)

    def between(self, item_rows: Tensor, texts: Tensor) -> Tensor:
        """Similarity of N item rows and M texts: float32 [N, M], on the device of ``texts``."""
        import torch

        items = self._vectors.items[_rows(item_rows)]
        found = items @ self._vectors.texts[_rows(texts)].T
        return torch.from_numpy(found.toarray()).to(texts.device)

    def matrix(self) -> Any:
        """Similarity of every item with every text: a scipy CSR matrix, float32 [N, texts]."""
        return (self._vectors.items @ self._vectors.texts.T).tocsr()

    @cached_property
    def _vectors(self) -> _Vectors:
        # scikit-learn takes a second to import, and few jobs need it.
        from scipy.sparse import csr_array
        from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

        try:
            counts = CountVectorizer().fit_transform(self._wording)
        except ValueError:
            raise DataError(
                f"none of {len(self._wording)} texts has a word of two letters or more, so there "
                "is no semantic similarity; train without the DAA loss (`loss.daa_weight: 0`)"
            ) from None
        # Every caption is a document, one that reads like another too.
        transformer = TfidfTransformer().fit(counts[self._texts])
        texts = csr_array(transformer.transform(counts))
        owned = np.bincount(self._item_rows)
        share = 1 / owned[self._item_rows]
        mean = csr_array((share, (self._item_rows, self._texts)), (len(owned), texts.shape[0]))
        return _Vectors((mean @ texts).astype(np.float32), texts.astype(np.float32))


def _rows(rows: Any) -> NDArray[np.int64]:
    return np.asarray(rows.cpu() if hasattr(rows, "cpu") else rows, dtype=np.int64)
