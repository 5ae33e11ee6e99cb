"""Where everything on the page comes from: data, encoders, papers, versions, hashes, the machine.

No date is among them, so that the same results give the same page.
"""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from polymatch.data.features import FeatureStore
from polymatch.provenance import settings_hash
from polymatch.settings.config import Config
from polymatch.settings.credited import Credit, encoder_credit
from polymatch.sources.registry import load

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "h5py",
    "scikit-learn",
    "openTSNE",
    "transformers",
    "onnxruntime",
    "aihwkit-lightning",
    "optuna",
    "pillow",
    "av",
    "matplotlib",
    "snakemake",
)


def provenance(config: Config, space: Path) -> dict[str, Any]:
    """Licences and citations, versions, hashes, seeds, and the machine that made the page."""
    source = load(config.data.source).INFO
    return {
        "data": asdict(source),
        "encoders": [asdict(credit) for credit in encoder_credits(config)],
        "stores": stores(space / "features"),
        "papers": {name: entry.citations for name, entry in config.models.items()},
        "seeds": config.seeds,
        "config_hash": settings_hash(config),
        "versions": versions(),
        "machine": machine(),
    }


def encoder_credits(config: Config) -> list[Credit]:
    """Of the encoders of both sides; none where the data set brings its features."""
    if config.encoder.given:
        return []
    modules = dict.fromkeys(config.encoder.side(side).module for side in ("items", "captions"))
    return [encoder_credit(module) for module in modules]


def stores(folder: Path) -> dict[str, dict[str, str]]:
    """What the stores of features say of the weights that made them, by name."""
    wanted = ("encoder", "revision", "preprocessing", "dtype", "licence")
    found = {}
    for path in sorted(folder.glob("*.h5")):
        attributes = FeatureStore(path).attributes
        found[path.stem] = {name: str(attributes[name]) for name in wanted if name in attributes}
    return found


def versions() -> dict[str, str]:
    """Of Python and of those packages that are installed where the page is made."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str]:
    """System, processor, cores and memory; no name of the machine or of its user."""
    found = {
        "system": f"{platform.system()} {platform.release()}",
        "processor": platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        found["memory"] = f"{pages / 2**30:.0f} GiB"
    return found
