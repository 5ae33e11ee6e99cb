"""One module per data set or upstream file format, each with ``INFO`` and ``read``."""

from polymatch.sources.info import SourceInfo
from polymatch.sources.registry import (
    FeatureSource,
    Source,
    brings_features,
    check_source,
    check_starts,
    given_source,
    given_stores,
    known_sources,
    load,
    protocol_of,
    read_source,
    remote_files,
)

__all__ = [
    "FeatureSource",
    "Source",
    "SourceInfo",
    "brings_features",
    "check_source",
    "check_starts",
    "given_source",
    "given_stores",
    "known_sources",
    "load",
    "protocol_of",
    "read_source",
    "remote_files",
]
