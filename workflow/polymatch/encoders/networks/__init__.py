"""The networks that encoders are made of; plain torch modules, frozen."""

from polymatch.encoders.networks.efficientnet_lite import EfficientNetLite0
from polymatch.encoders.networks.sentence_transformer import SentenceTransformer

__all__ = ["EfficientNetLite0", "SentenceTransformer"]
