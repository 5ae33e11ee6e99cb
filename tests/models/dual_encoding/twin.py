"""A slow form with the published code's names: one video or caption at a time."""

from collections import Counter

import numpy as np
import torch
from torch import nn

F, V, C, E, WORD = 6, 20, 5, 7, 4
SIZES = {"vid": (3, [4, 5, 2], [2, 3, 5]), "text": (2, [3, 4], [2, 3])}


def levels(width, prefix, both):
    hidden, channels, kernels = SIZES[prefix]
    read = hidden * (2 if both else 1)
    convolutions = [
        nn.Sequential(nn.Conv1d(read, out, kernel, padding="same"), nn.ReLU())
        for out, kernel in zip(channels, kernels, strict=True)
    ]
    gru = nn.GRU(width, hidden, batch_first=True, bidirectional=both)
    return read + sum(channels), {
        "rnn_embedding": nn.ModuleDict({"rnn": gru}),
        "cnn_embedding": nn.ModuleDict({"cnns": nn.ModuleList(convolutions)}),
    }


def projection(width, size):
    norm = nn.BatchNorm1d(size)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    return nn.ModuleDict({"linear": nn.Linear(width, size), "batch_norm": norm})


def space(item_width, caption_width, size):
    return nn.ModuleDict(
        {
            "video_projection": projection(item_width, size),
            "text_projection": projection(caption_width, size),
        }
    )


class Twin(nn.Module):
    """Published weights, and what they should make of one video or caption."""

    def __init__(self, seed=0, both=(True, True)):
        super().__init__()
        torch.manual_seed(seed)
        self.both = dict(zip(SIZES, both, strict=True))
        item_width, encoder = levels(F, "vid", both[0])
        caption_width, of_words = levels(WORD, "text", both[1])
        self.video_encoder = nn.ModuleDict(encoder)
        self.text_encoder = nn.ModuleDict({"embedding": nn.Embedding(V, WORD), **of_words})
        self.space_lat = space(F + item_width, V + caption_width, E)
        self.space_con = space(F + item_width, V + caption_width, C)
        self.eval()

    @torch.no_grad()
    def video(self, frames):
        """Latent [E] and concept [C] vector of frames [L, F]."""
        found = torch.cat([frames.mean(0), self._read(self.video_encoder, frames)])
        return self._into_spaces(found, "video_projection")

    @torch.no_grad()
    def text(self, words):
        """Latent [E] and concept [C] vector of words [L]."""
        counts = Counter(words.tolist())
        bag = torch.tensor([float(counts[word]) for word in range(V)])
        embedded = self.text_encoder["embedding"](words)
        found = torch.cat([bag, self._read(self.text_encoder, embedded)])
        return self._into_spaces(found, "text_projection")

    def _read(self, encoder, rows):
        read = encoder["rnn_embedding"]["rnn"](rows[None])[0][0]
        parts = [read.mean(0)]
        for convolution in encoder["cnn_embedding"]["cnns"]:
            kernel = convolution[0].weight.shape[2]
            for weight, bias in zip(convolution[0].weight, convolution[0].bias, strict=True):
                values = []
                for place in range(len(rows)):
                    value = bias.clone()
                    for step in range(kernel):
                        other = place + step - (kernel - 1) // 2
                        if 0 <= other < len(rows):
                            value += weight[:, step] @ read[other]
                    values.append(value.clamp(min=0))
                parts.append(torch.stack(values).max()[None])
        return torch.cat(parts)

    def _into_spaces(self, found, side):
        latent, concept = (
            s[side]["batch_norm"](s[side]["linear"](found)[None])[0]
            for s in (self.space_lat, self.space_con)
        )
        return latent / latent.norm(), 1 / (1 + (-concept).exp())

    def checkpoint(self, prefix="", **args):
        told = {
            "embed_dim_lat": E,
            "tag_vocab_size": C,
            "alpha": 0.6,
            "frame_feature_dim": F,
            "vocab_size": V,
            "pretrained_weight": np.ones((V, WORD), np.float32),
        }
        for side, (hidden, channels, kernels) in SIZES.items():
            told |= {
                f"{side}_rnn_hidden_size": hidden,
                f"{side}_rnn_bidirectional": self.both[side],
                f"{side}_cnn_out_channels_list": channels,
                f"{side}_cnn_filter_size_list": kernels,
                f"{side}_dp_rate_lat": 0.2,
                f"{side}_dp_rate_con": 0.3,
            }
        state = {f"{prefix}{name}": tensor for name, tensor in self.state_dict().items()}
        return {"args": told | args, "state_dict": state}


def written(folder, content, name="model.bin"):
    torch.save(content, folder / name)
    return folder / name


def example(lengths, seed=0):
    """Frames [l, F] and words [l] of these lengths."""
    generator = torch.Generator().manual_seed(seed)
    frames = [torch.randn(length, F, generator=generator) for length in lengths]
    words = [torch.randint(1, V, (length,), generator=generator) for length in lengths]
    return frames, words


def padded(rows, value=0.0):
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
