"""Data: the manifest and captions of a data set, tables, pictures, and feature stores."""

from polymatch.data.captions import Queries, merge_queries, select_kinds
from polymatch.data.features import FeatureStore, FeatureWriter, write_features
from polymatch.data.items import read_item
from polymatch.data.manifest import SPLITS, Prepared, build_manifest
from polymatch.data.pictures import count_frames, read_frames, read_thumbnail
from polymatch.data.tables import check_table, load_schema, read_table, write_table

__all__ = [
    "SPLITS",
    "FeatureStore",
    "FeatureWriter",
    "Prepared",
    "Queries",
    "build_manifest",
    "check_table",
    "count_frames",
    "load_schema",
    "merge_queries",
    "read_frames",
    "read_item",
    "read_table",
    "read_thumbnail",
    "select_kinds",
    "write_features",
    "write_table",
]
