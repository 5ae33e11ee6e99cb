"""SigLIP and SigLIP 2: pictures and captions in one space, through transformers.

Sources: Zhai et al., "Sigmoid Loss for Language Image Pre-Training", ICCV 2023; Tschannen et al.,
"SigLIP 2", 2025 (arXiv 2502.14786).

Deviations from the published projection heads' encoding of COCO:

- that takes siglip2-giant at 256 x 256 pixels, and any revision; here 384 is the default and 256 is
  named in the config, each at one commit.
- that computes in float16 where there is no GPU; a CPU computes in float32 here.
- that runs under any version of transformers, whose image processors differ by a byte's rounding;
  here the processor is the one on Pillow, with which the checkpoints were converted.

Like that, an item's embedding is the pooling head's output, scaled to length 1.

NaFlex checkpoints, whose pictures keep their shape, are another model and are refused.
"""

from __future__ import annotations

import torch

from polymatch.encoders.base import EncoderInfo, LoadOptions
from polymatch.encoders.networks.checkpoint import Pinned, find_checkpoint
from polymatch.encoders.networks.pair import FRAMES, POOLED, Pair, regions_of
from polymatch.encoders.networks.pretrained import check_kind, model_kind
from polymatch.errors import ConfigError

DEFAULT = "google/siglip2-giant-opt-patch16-384"
PINNED = {
    DEFAULT: Pinned("a713301b217d38485fb2204c808367d10bc3cc40", "7.5 GB", "Apache-2.0"),
    "google/siglip2-giant-opt-patch16-256": Pinned(
        "46d7129e1aa1527cc5a44d86fb35250df3abf0aa", "7.5 GB", "Apache-2.0"
    ),
    "google/siglip2-base-patch16-224": Pinned(
        "75de2d55ec2d0b4efc50b3e9ad70dba96a7b2fa2", "1.5 GB", "Apache-2.0"
    ),
}
INFO = EncoderInfo(
    name="siglip",
    item_features={"frames": FRAMES, "pooled": POOLED, "regions": regions_of("last patches")},
    caption_width=None,
    joint_space=True,
    preprocessing=(
        "the checkpoint's own image processor; text in small letters, padded to the length that "
        "the network was trained with"
    ),
    licence="Apache-2.0 (SigLIP and SigLIP 2 weights)",
    citation="Zhai et al., SigLIP, ICCV 2023; Tschannen et al., SigLIP 2, 2025",
    revision=f"{DEFAULT}@{PINNED[DEFAULT].revision}",
    sha256={},
    environment="transformers",
    url="https://github.com/google-research/big_vision",
)


def load(device: torch.device, options: LoadOptions) -> Pair:
    """Load the networks and what prepares their inputs.

    Raises:
        ConfigError: the model is no SigLIP of one resolution, or has no revision.
        DataError: its files are not there, or not whole.
    """
    checkpoint = find_checkpoint(INFO.name, options, DEFAULT, PINNED)
    kind = model_kind(checkpoint.folder)
    if kind == "siglip2":  # the name of the NaFlex networks; SigLIP 2's others are `siglip`
        raise ConfigError(
            f"encoder {INFO.name}: {checkpoint.name} is a NaFlex model, whose pictures have no "
            "fixed size; take a SigLIP 2 of one resolution, such as google/siglip2-base-patch16-224"
        )
    check_kind(INFO.name, checkpoint.folder, kind, {"siglip"})
    return Pair(INFO, checkpoint, kind, device, options)
