"""Small dual encoders to prune, and what they are given."""

import torch

from polymatch.models import build_model
from polymatch.models.pruned import assemble
from polymatch.settings.dual_encoding import DualEncodingModelSettings
from polymatch.settings.pruned import PrunedModelSettings

FRAME, WORDS, TAGS = 7, 11, 5


def dual_encoder(bidirectional=True, channels=(8, 10), seed=0, **more):
    """A dual encoder whose layers are of unequal sizes, in evaluation mode."""
    torch.manual_seed(seed)
    side = {
        "rnn_size": 6,
        "bidirectional": bidirectional,
        "kernels": [2, 3],
        "channels": [*channels],
    }
    settings = DualEncodingModelSettings.model_validate(
        {
            "family": "dual_encoding",
            "embed_dim": 9,
            "word_dim": 4,
            "items": side,
            "captions": side,
            "similarities": ["hybrid", "latent", "concept"],
            **more,
        }
    )
    model = build_model(settings, FRAME, (WORDS, TAGS)).eval()
    for name, buffer in model.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    return model


def pruned(member, **settings):
    """``member``, pruned."""
    raw = {"family": "pruned", "of": "de", "similarities": ["hybrid", "latent", "concept"]}
    return assemble(PrunedModelSettings.model_validate(raw | settings), [member])


def inputs(n=6, m=8, seed=1):
    """Frames [n, 5, FRAME] and words [m, 4], of 1 to 5 and 1 to 4 places."""
    random = torch.Generator().manual_seed(seed)
    frames = torch.randn(n, 5, FRAME, generator=random)
    lengths = torch.randint(1, 6, (n, 1), generator=random)
    frames[torch.arange(5) >= lengths] = torch.nan
    words = torch.randint(1, WORDS, (m, 4), generator=random)
    lengths = torch.randint(1, 5, (m, 1), generator=random)
    return frames, words.masked_fill(torch.arange(4) >= lengths, 0)


@torch.inference_mode()
def scores(model, kind="latent", given=None):
    """Similarity of what :func:`inputs` gives."""
    frames, words = given or inputs()
    return model.similarity(model.encode_items(frames), model.encode_captions(words), kind)
