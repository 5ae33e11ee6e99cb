"""Any pair of networks like CLIP on the model hub, by name and revision, through transformers.

Sources: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
ICML 2021; the kinds that it takes are listed in :data:`polymatch.encoders.networks.pair.KINDS`:
CLIP (OpenAI's, LAION's, Meta's and what is converted from OpenCLIP), Meta CLIP 2, ALIGN, Chinese
CLIP and SigLIP.

The default stands on a commit of the hub's pull request that converts the weights to safetensors:
the main branch of openai/clip-vit-base-patch32 has only pickled ones.
"""

from __future__ import annotations

import torch

from polymatch.encoders.base import EncoderInfo, LoadOptions
from polymatch.encoders.networks.checkpoint import Pinned, find_checkpoint
from polymatch.encoders.networks.pair import FRAMES, KINDS, POOLED, Pair, regions_of
from polymatch.encoders.networks.pretrained import check_kind, model_kind

DEFAULT = "openai/clip-vit-base-patch32"
_OPENAI = "MIT (code of CLIP); of the weights its model card states none and advises research only"
PINNED = {
    DEFAULT: Pinned("c237dc49a33fc61debc9276459120b7eac67e7ef", "0.6 GB", _OPENAI),
}
INFO = EncoderInfo(
    name="clip",
    item_features={
        "frames": FRAMES,
        "pooled": POOLED,
        "regions": regions_of("last patches, or last map"),
    },
    caption_width=None,
    joint_space=True,
    preprocessing="the checkpoint's own image processor and tokeniser",
    licence=_OPENAI,
    citation="Radford et al., CLIP, ICML 2021",
    revision=f"{DEFAULT}@{PINNED[DEFAULT].revision}",
    sha256={},
    environment="transformers",
    url="https://github.com/openai/CLIP",
)


def load(device: torch.device, options: LoadOptions) -> Pair:
    """Load the networks and what prepares their inputs.

    Raises:
        ConfigError: the model is no such pair, or has no revision.
        DataError: its files are not there, or not whole.
    """
    checkpoint = find_checkpoint(INFO.name, options, DEFAULT, PINNED)
    kind = model_kind(checkpoint.folder)
    check_kind(INFO.name, checkpoint.folder, kind, KINDS)
    return Pair(INFO, checkpoint, kind, device, options)
