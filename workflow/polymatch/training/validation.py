"""What a training asks val after every epoch: how well the model finds, and what its loss is."""

from __future__ import annotations

import torch

from polymatch.data.splits import RetrievalSet
from polymatch.device import random_state, restore_random_state
from polymatch.evaluation import retrieval_metrics
from polymatch.losses.loss import Loss
from polymatch.models import RetrievalModel
from polymatch.training.batches import Batches
from polymatch.training.scoring import encode


def val_loss(model: RetrievalModel, loss: Loss, batches: Batches, seed: int) -> float:
    """Mean loss over val, in the same batches and with the same random numbers every time."""
    model.eval()
    loss.eval()
    before = random_state(model.device)
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        parts = [loss(model, batch)["loss"] for batch in batches.epoch(order)]
    restore_random_state(before, model.device)
    return float(torch.stack(parts).mean()) if parts else float("nan")


def validate(model: RetrievalModel, val_set: RetrievalSet) -> dict[str, float]:
    """The figures on val that a row of the history has, ``val_rsum`` and so on."""
    items, captions = encode(model, val_set)
    with torch.inference_mode():
        similarity = model.similarity(items, captions).cpu().numpy()
        diagnostics = model.diagnostics(items, captions)
    metrics = retrieval_metrics(similarity, val_set.item_ids, val_set.positives)
    figures = {name: metrics[name] for name in ("t2v_r1", "v2t_r1", "rsum")}
    for way in ("t2v", "v2t"):
        figures[f"{way}_rsum"] = sum(metrics[f"{way}_r{k}"] for k in (1, 5, 10))
    figures["r1"] = (metrics["t2v_r1"] + metrics["v2t_r1"]) / 2
    return {f"val_{name}": value for name, value in (figures | diagnostics).items()}
