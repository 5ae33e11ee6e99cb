"""A model's three calls as graphs of ATen operators, for export, audit and simulation.

Each call becomes a ``torch.export`` program with a free number of items and captions. A similarity
that samples draws its noise while it runs, which no graph can hold: the draws of one eager run are
recorded and stand in the graph as constants. That also tells which similarities sample, whatever
their models say.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export.exported_program import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Interpreter, Node
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from polymatch.errors import ConfigError, PolymatchError
from polymatch.models import RetrievalModel

STAGES = ("items", "captions", "scorer")
_RANDOM = frozenset(
    {torch.randn, torch.rand, torch.randn_like, torch.rand_like, torch.normal, torch.bernoulli}
    | {torch.randint, torch.randint_like, torch.multinomial, torch.randperm, torch.poisson}
)
_DRAWS = "draws"
# Rows of the inputs that a graph is traced with; different, so that the two are not taken for one.
_ITEMS, _CAPTIONS = 5, 7


@dataclass(frozen=True)
class ModelGraphs:
    """The graphs of one model and similarity; ``programs`` has an entry for each stage.

    ``encoded`` names the tensors that each side's encoding consists of. ``draws`` counts the random
    numbers that the similarity drew, ``declared`` is what the model says about sampling.
    """

    programs: dict[str, ExportedProgram]
    encoded: dict[str, list[str]]
    draws: int
    declared: bool

    @property
    def samples(self) -> bool:
        """Whether the similarity samples: it draws, or its model says that it does."""
        return self.declared or self.draws > 0


def model_graphs(model: RetrievalModel, kind: str, stages: tuple[str, ...] = STAGES) -> ModelGraphs:
    """Trace the three calls of a model, or those of ``stages``; the model is on the CPU.

    Raises:
        ConfigError: the model has no similarity ``kind``, or a call cannot become a graph.
    """
    check_kind(model, kind)
    start = model.settings.starts_from
    if start in ("regions", "frames"):
        raise ConfigError(
            f"family {model.settings.family}: it starts from words and {start}, whose number "
            "differs from one to another: that is no graph to export and simulate"
        )
    model = model.eval()
    with torch.no_grad():
        item_features = _features(_ITEMS, model.widths[0], model.device)
        caption_features = _features(_CAPTIONS, model.widths[1], model.device)
        items, captions = model.encode_items(item_features), model.encode_captions(caption_features)
        scorer = _Scorer(model, kind, items, captions)
        calls: dict[str, tuple[nn.Module, list[Tensor], int]] = {
            "items": (_Encoder(model, model.encode_items), [item_features], 1),
            "captions": (_Encoder(model, model.encode_captions), [caption_features], 0),
            "scorer": (scorer, flatten(items) + flatten(captions), scorer.n_items),
        }
        programs = {stage: _trace(stage, *calls[stage]) for stage in stages}
    encoded = {"items": tensor_names(items), "captions": tensor_names(captions)}
    return ModelGraphs(programs, encoded, scorer.drawn, model.samples(kind))


def check_kind(model: RetrievalModel, kind: str) -> None:
    """Raise ConfigError if the model is not scored by ``kind``."""
    allowed = model.settings.scored_by
    if kind not in allowed:
        raise ConfigError(
            f"unknown similarity {kind!r} of family {model.settings.family}; "
            f"allowed here: {', '.join(allowed)}"
        )


def flatten(encoding: Any) -> list[Tensor]:
    """Return the tensors that an encoding consists of."""
    return pytree.tree_leaves(encoding)


def tensor_names(encoding: Any) -> list[str]:
    """Name the tensors of an encoding: ``mu``, ``logvar`` of a named tuple, else by position."""
    fields = getattr(encoding, "_fields", None)
    leaves = flatten(encoding)
    if fields is not None and len(fields) == len(leaves):
        return list(fields)
    return ["encoding"] if len(leaves) == 1 else [f"part{i}" for i in range(len(leaves))]


def node_origins(program: ExportedProgram, n_items: int) -> dict[Node, frozenset[str]]:
    """Say of each node what it was computed from: ``weights items captions draws``.

    The first ``n_items`` inputs are the items' side, the others the captions'; an encoder's only
    input counts by the same rule. A node that stands on constants alone has none.
    """
    sources: dict[str, str] = {}
    given = 0
    for spec in program.graph_signature.input_specs:
        name = spec.arg.name
        if spec.kind == InputKind.USER_INPUT:
            sources[name] = "items" if given < n_items else "captions"
            given += 1
        else:
            sources[name] = "draws" if _DRAWS in str(spec.target) else "weights"
    origins: dict[Node, frozenset[str]] = {}
    for node in program.graph.nodes:
        if node.op == "placeholder":
            origins[node] = frozenset({sources[node.name]})
        elif "sym_size" in str(node.target):  # how many there are says nothing of what they are
            origins[node] = frozenset()
        else:
            origins[node] = frozenset().union(*(origins[n] for n in node.all_input_nodes))
    return origins


def run_graph(
    program: ExportedProgram,
    inputs: list[Tensor],
    visit: Callable[[Node, tuple[Any, ...], Mapping[str, Any], Callable[[], Any]], Any],
) -> Any:
    """Run a graph; ``visit(node, args, kwargs, compute)`` answers each operator with its value."""

    class Visitor(Interpreter):
        def run_node(self, n: Node) -> Any:
            if n.op != "call_function":
                return super().run_node(n)
            args, kwargs = self.fetch_args_kwargs_from_env(n)
            return visit(n, args, kwargs, lambda: n.target(*args, **kwargs))  # type: ignore[operator]

    outputs = Visitor(program.graph_module).run(*_lifted(program), *inputs)
    return outputs[0] if len(outputs) == 1 else outputs


def _lifted(program: ExportedProgram) -> list[Tensor]:
    """Weights and constants of a program, in the order of its graph's inputs."""
    values = []
    for spec in program.graph_signature.input_specs:
        if spec.kind != InputKind.USER_INPUT:
            known = program.state_dict if spec.target in program.state_dict else program.constants
            values.append(known[str(spec.target)])
    return values


class _Encoder(nn.Module):
    def __init__(self, model: RetrievalModel, encode: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.model = model
        self.encode = encode

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        return tuple(flatten(self.encode(features)))


class _Scorer(nn.Module):
    """The similarity as a function of plain tensors, with its draws as constants."""

    def __init__(self, model: RetrievalModel, kind: str, items: Any, captions: Any) -> None:
        super().__init__()
        self.model = model
        self.kind = kind
        self.shapes = (pytree.tree_structure(items), pytree.tree_structure(captions))
        self.n_items = len(flatten(items))
        record = _Recorder()
        with record:
            model.similarity(items, captions, kind)
        self.drawn = sum(draw.numel() for draw in record.draws)
        for number, draw in enumerate(record.draws):
            self.register_buffer(f"{_DRAWS}{number}", draw)

    def forward(self, *sides: Tensor) -> Tensor:
        items = pytree.tree_unflatten(list(sides[: self.n_items]), self.shapes[0])
        captions = pytree.tree_unflatten(list(sides[self.n_items :]), self.shapes[1])
        with _Replay([draw for name, draw in self.named_buffers() if name.startswith(_DRAWS)]):
            return self.model.similarity(items, captions, self.kind)


class _Recorder(TorchFunctionMode):
    """Keeps whatever random numbers are drawn inside."""

    def __init__(self) -> None:
        super().__init__()
        self.draws: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        value = func(*args, **(kwargs or {}))
        if func in _RANDOM:
            self.draws.append(value.clone())
        return value


class _Replay(TorchFunctionMode):
    """Answers each draw inside with the recorded one."""

    def __init__(self, draws: list[Tensor]) -> None:
        super().__init__()
        self.waiting = list(draws)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _RANDOM:
            return self.waiting.pop(0)
        return func(*args, **(kwargs or {}))


def _trace(stage: str, call: nn.Module, inputs: list[Tensor], n_items: int) -> ExportedProgram:
    dims = [torch.export.Dim("n_items"), torch.export.Dim("n_captions")]
    shapes = tuple({0: dims[0] if i < n_items else dims[1]} for i in range(len(inputs)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch's own, about its own internals
            return torch.export.export(
                call, tuple(inputs), dynamic_shapes=_varargs(call, shapes), strict=False
            ).run_decompositions()
    except PolymatchError:
        raise
    except Exception as error:  # torch.export raises many kinds; all mean that it cannot be traced
        reason = str(error).strip().splitlines()
        raise ConfigError(
            f"the {stage} call cannot become a graph ({reason[0] if reason else error!r}); it must "
            "do without steps that depend on the data or on the number of rows"
        ) from error


def _varargs(call: nn.Module, shapes: tuple[Any, ...]) -> tuple[Any, ...]:
    # The scorer takes *sides: one entry that holds them all.
    return (shapes,) if isinstance(call, _Scorer) else shapes


def _features(rows: int, width: int, device: torch.device) -> Tensor:
    return torch.linspace(-1, 1, rows * width, device=device).view(width, rows).T.contiguous()
