"""A small ImageBind with random weights, of the package's own class; `python tiny_imagebind.py F`.

It needs the environment of `make imagebind-env`; nothing of it is imported before it is called.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import torch

NARROW = {
    f"{kind}_embed_dim": 32 for kind in ("vision", "text", "audio", "depth", "thermal", "imu")
}
SHALLOW = {name.replace("embed_dim", "num_blocks"): 2 for name in NARROW}
FEW = {name.replace("embed_dim", "num_heads"): 2 for name in NARROW}
SHAPE = {"out_embed_dim": 24, **NARROW, **SHALLOW, **FEW}


def tiny_imagebind(folder: Path) -> Path:
    """Write `tiny.pth` and, beside it, `tiny.json`; the first one's path."""
    torch.manual_seed(0)
    model = import_module("imagebind.models.imagebind_model").ImageBindModel(**SHAPE)
    with torch.no_grad():
        for name, values in model.named_parameters():
            if "log_logit_scale" not in name:
                # as published weights are, no bias or scale is what a network begins with
                values += 0.1 * torch.randn_like(values)
    path = Path(folder) / "tiny.pth"
    torch.save(model.state_dict(), path)
    path.with_suffix(".json").write_text(json.dumps(SHAPE), encoding="utf-8")
    return path


if __name__ == "__main__":
    print(tiny_imagebind(Path(sys.argv[1])))
