"""A slow form with the published code's names: every pair by itself, word by word."""

import argparse

import torch
from torch import nn

from polymatch.settings.alignment import AlignmentModelSettings

R, F, D, S, WORD, VOCABULARY = 4, 6, 8, 5, 7, 30


def unit(x):
    return x / ((x * x).sum(-1, keepdim=True).sqrt() + 1e-8)


def gate(width, norm=()):
    return nn.Sequential(nn.Linear(width, width), *norm, nn.Tanh(), nn.Dropout(0.0))


class Pooling(nn.Module):
    def __init__(self, regions=None):
        super().__init__()
        norms = [()] * 2
        if regions is not None:
            norms = [(nn.BatchNorm1d(regions),), (nn.BatchNorm1d(D),)]
        self.embedding_local, self.embedding_global = (gate(D, norm) for norm in norms)
        self.embedding_common = nn.Sequential(nn.Linear(D, 1))

    def forward(self, local):
        gated = self.embedding_local(local) * self.embedding_global(local.mean(1))[:, None]
        weights = torch.softmax(self.embedding_common(gated)[:, :, 0], 1)
        return unit((weights[:, :, None] * local).sum(1))


class Graph(nn.Module):
    def __init__(self):
        super().__init__()
        for name in ("graph_query_w", "graph_key_w", "sim_graph_w"):
            self.add_module(name, nn.Linear(S, S))

    def forward(self, nodes):
        edges = torch.softmax(self.graph_query_w(nodes) @ self.graph_key_w(nodes).T, 1)
        return torch.relu(self.sim_graph_w(edges @ nodes))


class Filter(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn_sim_w, self.bn = nn.Linear(S, 1), nn.BatchNorm1d(1)

    def forward(self, nodes):
        gates = torch.sigmoid(self.bn(self.attn_sim_w(nodes).transpose(1, 2)))[:, 0]
        gates = gates / (gates.sum(1, keepdim=True) + 1e-8)
        return unit(torch.stack([g @ n for g, n in zip(gates, nodes, strict=True)]))


class Image(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.fc = nn.Linear(features, D)


class Text(nn.Module):
    def __init__(self, layers, both):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, WORD)
        self.cap_rnn = nn.GRU(WORD, D, layers, batch_first=True, bidirectional=both)


class Similarity(nn.Module):
    def __init__(self, module, regions, steps):
        super().__init__()
        self.v_global_w, self.t_global_w = Pooling(regions), Pooling()
        self.sim_tranloc_w, self.sim_tranglo_w = nn.Linear(D, S), nn.Linear(D, S)
        self.sim_eval_w = nn.Linear(S, 1)
        if module == "sgr":
            self.SGR_module = nn.ModuleList(Graph() for _ in range(steps))
        else:
            self.SAF_module = Filter()


class Twin(nn.Module):
    """SAF or SGR; weights, and running statistics, are not those of the start."""

    def __init__(self, module, regions=R, layers=1, both=True, steps=3, norms=(True, True), seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.module, self.norms, self.steps = module, norms, steps
        self.image, self.text = Image(F), Text(layers, both)
        self.similarity = Similarity(module, regions, steps)
        self.described = {"num_layers": layers, "bidirectional": both}
        for tensor in self.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.3 * torch.rand_like(tensor))
        self.eval()

    def settings(self, **changes):
        return AlignmentModelSettings(
            family="alignment",
            module=self.module,
            embed_dim=D,
            word_dim=WORD,
            sim_dim=S,
            steps=self.steps,
            dropout=0.0,
            normalise_items=self.norms[0],
            normalise_words=self.norms[1],
            **self.described,
            **changes,
        )

    def checkpoint(self, prefix="module.", **opt):
        """What the published training saves."""
        states = [
            {prefix + name: tensor for name, tensor in part.state_dict().items()}
            for part in (self.image, self.text, self.similarity)
        ]
        told = {
            "module_name": self.module.upper(),
            **{
                "img_dim": F,
                "embed_size": D,
                "word_dim": WORD,
                "sim_dim": S,
                "sgr_step": self.steps,
            },
            **{"vocab_size": VOCABULARY, "bi_gru": self.text.cap_rnn.bidirectional},
            **{"num_layers": self.text.cap_rnn.num_layers, "margin": 0.2, "max_violation": True},
            **{"no_imgnorm": not self.norms[0], "no_txtnorm": not self.norms[1], "daa_weight": 10},
            **{"batch_size": 128, "num_epochs": 30, "learning_rate": 0.0006, "grad_clip": 2.0},
        }
        told = argparse.Namespace(**{**told, **opt})
        return {"epoch": 9, "model": states, "best_rsum": 500.0, "opt": told, "Eiters": 7}

    def forward(self, images, captions):
        """Scores [N, M] of images [N, R, F] and M captions, each a 1-d tensor of tokens."""
        regions = self.image.fc(images)
        regions = unit(regions) if self.norms[0] else regions
        vectors = self.similarity.v_global_w(regions)
        return torch.cat([self.column(regions, vectors, tokens) for tokens in captions], 1)

    def column(self, regions, vectors, tokens):
        words = self.text.cap_rnn(self.text.embed(tokens)[None])[0][0]
        if self.text.cap_rnn.bidirectional:
            words = (words[:, :D] + words[:, D:]) / 2
        words = unit(words) if self.norms[1] else words
        whole = self.similarity.t_global_w(words[None])[0]
        nodes = torch.stack(
            [self.nodes(*item, words, whole) for item in zip(regions, vectors, strict=True)]
        )
        if self.module == "sgr":
            found = []
            for graph in nodes:
                for step in self.similarity.SGR_module:
                    graph = step(graph)
                found.append(graph[0])
            pooled = torch.stack(found)
        else:
            pooled = self.similarity.SAF_module(nodes)
        return torch.sigmoid(self.similarity.sim_eval_w(pooled))

    def nodes(self, regions, vector, words, whole):
        attention = nn.functional.leaky_relu(regions @ words.T, 0.1)
        attention = torch.softmax(9 * unit(attention), 0)
        rows = [unit(self.similarity.sim_tranglo_w((vector - whole) ** 2))]
        for j, word in enumerate(words):
            found = unit(sum(w * r for w, r in zip(attention[:, j], regions, strict=True)))
            rows.append(unit(self.similarity.sim_tranloc_w((found - word) ** 2)))
        return torch.stack(rows)


def example(n=5, lengths=(3, 1, 6, 2, 3, 1, 4), regions=R, seed=1):
    """Images [n, R, F], padded tokens [M, L] and lengths."""
    torch.manual_seed(seed)
    lengths = torch.tensor(lengths)
    tokens = torch.randint(1, VOCABULARY, (len(lengths), int(lengths.max())))
    padding = torch.arange(tokens.shape[1]) >= lengths[:, None]
    return torch.randn(n, regions, F), tokens.masked_fill(padding, 0), lengths


def cut(tokens, lengths):
    return [row[:length] for row, length in zip(tokens, lengths, strict=True)]


def written(folder, content, name="model_best.pth.tar"):
    torch.save(content, folder / name)
    return folder / name
