"""The pruned family: a trained dual encoder made smaller, and trained again if that is asked for.

"Dual Encoding++: Optimization of Text-Video Retrieval via Fine-tuning and Pruning", ICCE-Asia 2023,
sets the weights of least magnitude to zero (:mod:`.magnitude`). Beyond it, units may be taken out
(:mod:`.units`), and projections and GRUs computed in 8 bits (:mod:`.int8`). Each is stored as small
as it is (:mod:`polymatch.models.compact`); the published code stores every zero as a float.

Deviations from the published code: a rate that leaves a layer nothing is refused, and what was
pruned stays pruned when the model is trained again (there is no such training there).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from polymatch.errors import DataError
from polymatch.models import dual_encoding
from polymatch.models.compact import Form
from polymatch.models.model import RetrievalModel
from polymatch.models.pruned.int8 import quantise
from polymatch.models.pruned.magnitude import pruned_tensors, zero_smallest
from polymatch.models.pruned.parts import Parts, float_weights, modules_of
from polymatch.models.pruned.units import without_units
from polymatch.settings.dual_encoding import DualEncodingModelSettings
from polymatch.settings.pruned import PrunedModelSettings

__all__ = ["Model", "assemble"]


class Model(RetrievalModel):
    """A dual encoder, ``inner``, that was pruned; there once ``attach`` has said its settings."""

    settings: PrunedModelSettings
    inner: dual_encoding.Model

    def __init__(self, settings: PrunedModelSettings, item_width: Any, caption_width: Any) -> None:
        super().__init__(settings, item_width, caption_width)

    def encode_items(self, features: Any) -> dual_encoding.Encoded:
        return self.inner.encode_items(features)

    def encode_captions(self, features: Tensor) -> dual_encoding.Encoded:
        return self.inner.encode_captions(features)

    def similarity(
        self, items: dual_encoding.Encoded, captions: dual_encoding.Encoded, kind: str | None = None
    ) -> Tensor:
        return self.inner.similarity(items, captions, kind)

    def fused(self, kind: str | None = None) -> list[tuple[str, float]] | None:
        return self.inner.fused(kind)

    def vectors(
        self, items: dual_encoding.Encoded, captions: dual_encoding.Encoded
    ) -> tuple[Tensor, Tensor]:
        return self.inner.vectors(items, captions)

    def item_points(self, items: dual_encoding.Encoded, kind: str | None = None) -> Tensor:
        return self.inner.item_points(items, kind)

    def attachments(self) -> dict[str, Any]:
        """The settings of ``inner``: its sizes may be smaller than those of its member."""
        return {"inner": self.inner.settings.model_dump(mode="json")}

    def attach(self, attachments: dict[str, Any]) -> None:
        """Build ``inner`` from its settings; one that has these settings keeps its weights."""
        settings = DualEncodingModelSettings.model_validate(attachments["inner"])
        if hasattr(self, "inner") and self.inner.settings == settings:
            return
        self.inner = dual_encoding.Model(settings, *self.widths)
        if self.settings.method == "int8":
            quantise(self.inner, self.settings.parts)

    def stored_forms(self) -> dict[str, Form]:
        """Pruned weights sparse; with int8, what is computed in floats in 8 bits too."""
        method = self.settings.method
        if method == "units":
            return {}
        if method == "int8":
            parts = self.settings.parts
            rounded = {id(weight) for weight in float_weights(self.inner, parts)}
            return {name: "int8" for name, t in self.named_parameters() if id(t) in rounded}
        tensors = pruned_tensors(modules_of(self.inner, self.settings.parts), self.settings.biases)
        wanted = {id(tensor) for tensor in tensors}
        return {name: "sparse" for name, t in self.named_parameters() if id(t) in wanted}


def assemble(settings: PrunedModelSettings, members: Sequence[RetrievalModel]) -> Model:
    """Prune one trained dual encoder, which stays as it is.

    Raises:
        ConfigError: it has no such part, or the rate leaves one of its layers nothing.
        DataError: it is of another family.
    """
    (member,) = members
    if not isinstance(member, dual_encoding.Model):
        raise DataError(
            f"{settings.of!r} is a trained model of family {member.settings.family}, but pruning "
            "takes one of family dual_encoding; train it again"
        )
    own: dict[str, Any] = {"similarities": settings.similarities}
    if settings.alpha is not None:
        own["alpha"] = settings.alpha
    inner_settings = member.settings.model_copy(update=own)
    model = Model(settings, *member.widths)
    if settings.method == "units":
        small, weights = without_units(member, settings.rate, settings.parts)
        inner_settings = small.model_copy(update=own)
    else:
        weights = {name: tensor.clone() for name, tensor in member.state_dict().items()}
    model.inner = dual_encoding.Model(inner_settings, *member.widths)
    model.inner.load_state_dict(weights)
    if settings.method == "weights":
        parts = modules_of(model.inner, settings.parts)
        zero_smallest(parts, settings.rate, settings.biases)
        if settings.fine_tune:
            _keep_zeros(model, parts)
    elif settings.method == "int8":
        quantise(model.inner, settings.parts)
    return model.eval()


def _keep_zeros(model: Model, parts: Parts) -> None:
    """Take the gradient from what is zero.

    Adam's moments stay zero then, and so does what weight decay multiplies. Masks are buffers, to
    be on the model's device, and are not stored: the zeros tell them.
    """
    for number, tensor in enumerate(pruned_tensors(parts, model.settings.biases)):
        name = f"kept_{number}"
        model.register_buffer(name, tensor.detach() != 0, persistent=False)

        def masked(gradient: Tensor, name: str = name) -> Tensor:
            return gradient * model.get_buffer(name)

        tensor.register_hook(masked)
