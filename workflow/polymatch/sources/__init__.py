"""One module per data set or upstream file format, each with ``INFO`` and ``read``."""

from polymatch.sources.info import SourceInfo
from polymatch.sources.registry import Source, known_sources, load

__all__ = ["Source", "SourceInfo", "known_sources", "load"]
