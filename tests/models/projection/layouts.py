"""Modules and checkpoints in the published layouts, small, with formulas of their own."""

import math

import torch
from torch import nn
from torch.nn.functional import normalize

IMAGE, TEXT, OUTPUT, HIDDEN = 16, 8, 6, 12


class Layout(nn.Module):
    """A head with state names as published; ``forward`` is its formula."""

    def __init__(self, kind, width):
        super().__init__()
        self.kind = kind
        if kind in ("mlp", "blip", "clip"):
            hidden = width // 2 if kind == "clip" else HIDDEN
            layers = [nn.Linear(width, hidden), nn.GELU(), nn.Dropout(0.1)]
            layers.append(nn.Linear(hidden, OUTPUT))
            self.projection = nn.Sequential(*layers, *[nn.LayerNorm(OUTPUT)] * (kind != "clip"))
        if kind == "blip":
            self.momentum_projection = nn.Sequential(nn.Linear(width, HIDDEN))
        if kind == "clip":
            self.logit_scale = nn.Parameter(torch.tensor(math.log(25.0)))
        if kind == "align":
            layers = [nn.Linear(width, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(), nn.Dropout(0.1)]
            layers += [nn.Linear(HIDDEN, HIDDEN // 2), nn.BatchNorm1d(HIDDEN // 2), nn.ReLU()]
            self.projection = nn.Sequential(*layers, nn.Dropout(), nn.Linear(HIDDEN // 2, OUTPUT))
        if kind == "siglip":
            self.layer_norm = nn.LayerNorm(width)
            self.projection = nn.Linear(width, OUTPUT, bias=False)
        if kind == "attention":
            attention = [nn.MultiheadAttention(width, 4, batch_first=True) for _ in range(2)]
            self.attention_layers = nn.ModuleList(attention)
            self.layer_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
            self.final_proj = nn.Sequential(nn.Linear(width, OUTPUT), nn.LayerNorm(OUTPUT))

    def forward(self, x):
        if self.kind == "siglip":
            x = self.projection(self.layer_norm(x))
        elif self.kind == "attention":
            for attention, norm in zip(self.attention_layers, self.layer_norms, strict=True):
                x = norm(x + attention(x[:, None], x[:, None], x[:, None])[0][:, 0])
            x = self.final_proj(x)
        else:
            x = self.projection(x)
        return normalize(x, dim=-1)


class CrossLayout(nn.Module):
    """Both sides in one; ``forward`` takes matched rows and gives both vectors."""

    def __init__(self):
        super().__init__()
        self.image_proj, self.text_proj = nn.Linear(IMAGE, HIDDEN), nn.Linear(TEXT, HIDDEN)
        for name in ("img_to_txt_attn", "txt_to_img_attn"):
            self.add_module(name, nn.MultiheadAttention(HIDDEN, 4, batch_first=True))
        for name in ("img", "txt"):
            self.add_module(f"{name}_norm", nn.LayerNorm(HIDDEN))
            final = nn.Sequential(nn.Linear(HIDDEN, OUTPUT), nn.LayerNorm(OUTPUT))
            self.add_module(f"{name}_final", final)

    def forward(self, image, text):
        p, q = self.image_proj(image)[:, None], self.text_proj(text)[:, None]
        p_out = self.img_norm(p + self.img_to_txt_attn(p, q, q)[0])[:, 0]
        q_out = self.txt_norm(q + self.txt_to_img_attn(q, p, p)[0])[:, 0]
        return normalize(self.img_final(p_out), dim=-1), normalize(self.txt_final(q_out), dim=-1)


KINDS = ["mlp", "attention", "siglip", "clip", "align", "blip"]
MODEL = {
    "mlp": {"hidden_dim": HIDDEN, "dropout": 0.1},
    "attention": {"hidden_dim": 999, "num_heads": 4, "num_layers": 2, "dropout": 0.1},
    "cross_modal": {"hidden_dim": HIDDEN, "num_heads": 4, "dropout": 0.1},
    "siglip": {},
    "clip": {"learnable_temp": True},
    "align": {"hidden_dim": HIDDEN, "use_bn": True},
    "blip": {"hidden_dim": HIDDEN, "momentum": 0.999},
}


def config(kind, **loss):
    return {
        "model": {"type": kind, "output_dim": OUTPUT, **MODEL[kind]},
        "loss": {"type": "softmax_infonce", "temperature": 0.04, **loss},
        "training": {"batch_size": 32, "learning_rate": "1e-4", "num_epochs": 9, "patience": 5},
    }


def moved(module):
    """Weights and running statistics that are not those of the start."""
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim:
                tensor.add_(0.2 * torch.rand_like(tensor))
    return module.eval()


def heads(kind):
    torch.manual_seed(0)
    return moved(Layout(kind, IMAGE)), moved(Layout(kind, TEXT))


def checkpoint(kind="mlp", **changes):
    image, text = heads(kind)
    states = {"image_head_state": image.state_dict(), "text_head_state": text.state_dict()}
    return {"epoch": 3, "config": config(kind), **states, "val_r1": 0.3, **changes}


def cross_checkpoint(**changes):
    torch.manual_seed(0)
    state = moved(CrossLayout()).state_dict()
    record = {"epoch": 3, "config": config("cross_modal"), "val_loss": 1.0, "is_cross_modal": True}
    return {**record, "image_head_state": state, **changes}


def written(folder, content, name="best_model.pt"):
    torch.save(content, folder / name)
    return folder / name
