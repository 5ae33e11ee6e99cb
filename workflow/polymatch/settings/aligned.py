"""The baseline's entry: the encoders' own aligned space, nothing trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from polymatch.settings.model import ModelSettings, Start

_STARTS: dict[str, Start] = {
    "vision": "embeddings",
    "audio": "audio",
    "audio_all": "audio_all",
    "fused": "fused",
}


class AlignedSettings(ModelSettings):
    """Cosine in the aligned space that every head starts from."""

    family: Literal["aligned"]
    modality: Literal["vision", "audio", "audio_all", "fused"] = Field(
        "vision",
        description="what of an item is compared: its frames; its sound, among the items that have "
        "some; its sound, where silent items score 0 with every text (as published); or the "
        "normalised sum of both, the frames alone where there is no sound. Sound needs an encoder "
        "that takes it and has one space for all (`imagebind`)",
    )

    @property
    def starts_from(self) -> Start:
        return _STARTS[self.modality]
