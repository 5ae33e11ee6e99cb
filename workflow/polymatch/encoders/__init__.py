"""Encoders: frozen pretrained networks that turn items and captions into features."""

from polymatch.encoders.base import (
    Encoder,
    EncoderInfo,
    FeatureShape,
    LoadOptions,
    TokenCounter,
)
from polymatch.encoders.extract import extract_captions, extract_items
from polymatch.encoders.load import encoder_info, encoder_names, load_encoder, word_embeddings

__all__ = [
    "Encoder",
    "EncoderInfo",
    "FeatureShape",
    "LoadOptions",
    "TokenCounter",
    "encoder_info",
    "encoder_names",
    "extract_captions",
    "extract_items",
    "load_encoder",
    "word_embeddings",
]
