"""A model on simulated analog arrays: its linear layers, and the gallery it is searched in.

The life of a chip: every array is programmed; the items are encoded at once, through arrays as they
were programmed, and with ``gallery`` their encodings are programmed too; queries come later,
through arrays and to a gallery as they have become. Which products of the similarity run on arrays
is what the audit counts as ``weights`` or ``gallery``. All else is digital and exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx import Node

from polymatch.data.splits import RetrievalSet
from polymatch.deployment import operators, pcm
from polymatch.deployment.arrays import (
    InputRecorder,
    array_config,
    array_product,
    choose_out_bound,
    on_arrays,
)
from polymatch.deployment.audit import factors, product_kind, stored_factor
from polymatch.deployment.graphs import ModelGraphs, flatten, node_origins, run_graph
from polymatch.device import on_device
from polymatch.models import RetrievalModel


class Stored(Protocol):
    """Weights in an array, as they are found when they are read."""

    def read(self, seconds: float, generator: torch.Generator) -> tuple[Tensor, float]:
        """Return the weights and the digital factor against drift."""


Programmer = Callable[[Tensor, torch.Generator], Stored]
# Where an array of the similarity is: the matrix of the graph that it holds, and which of a batch.
Place = tuple[Node, int]


class NoisyWeights:
    """Weights with Gaussian noise of one size, which stays as it is."""

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights

    @staticmethod
    def programmer(share: float) -> Programmer:
        """Programming that adds noise of ``share`` times the largest weight of the array."""

        def program(weights: Tensor, generator: torch.Generator) -> Stored:
            noise = torch.randn(weights.shape, generator=generator)
            return NoisyWeights(weights + share * weights.abs().max() * noise)

        return program

    def read(self, seconds: float, generator: torch.Generator) -> tuple[Tensor, float]:
        return self.weights, 1.0


class Chip:
    """One run's model on arrays, calibrated on the validation split.

    ``adc_bits`` are the numbers of bits that it will be asked for; each has output ranges of its
    own (see :func:`polymatch.deployment.arrays.choose_out_bound`).
    """

    def __init__(
        self,
        model: RetrievalModel,
        graphs: ModelGraphs,
        val: RetrievalSet,
        gallery: bool,
        dac_bits: int,
        adc_bits: list[int],
    ) -> None:
        self.model, self.layers = on_arrays(model)
        self.scorer = graphs.programs["scorer"]
        self.origins = node_origins(self.scorer, len(graphs.encoded["items"]))
        self.kinds = {"weights", "gallery"} if gallery else {"weights"}
        self.dac_bits = dac_bits
        self.bounds: dict[int, dict[str, float]] = {bits: {} for bits in adc_bits}
        self._calibrate(model, val)

    @torch.inference_mode()
    def program(self, programmer: Programmer, seed: np.random.SeedSequence) -> dict[str, Stored]:
        """Program the layers' arrays, each from a random stream of its own."""
        streams = seed.spawn(len(self.layers))
        return {
            name: programmer(layer.target, generator(stream))
            for (name, layer), stream in zip(self.layers.items(), streams, strict=True)
        }

    @torch.inference_mode()
    def scores(
        self,
        stored: Mapping[str, Stored],
        programmer: Programmer,
        data: RetrievalSet,
        points: list[tuple[int, float]],
        seed: np.random.SeedSequence,
    ) -> list[np.ndarray]:
        """Return the similarity [N, M] of ``data`` at each (ADC bits, seconds since programming).

        All points are of the same chip: the same devices, and one reading of them at each moment.
        """
        gallery_seed, layer_seed = (int(x) for x in seed.generate_state(2, np.uint64) >> 1)
        moments = sorted({0.0, *(seconds for _, seconds in points)})
        stream = torch.Generator().manual_seed(layer_seed)
        found = {0.0: {n: array.read(0.0, stream) for n, array in stored.items()}}
        for moment in moments[1:]:
            found[moment] = {n: stored[n].read(moment, stream) for n in self.used["captions"]}
        galleries: dict[int, _Gallery] = {}
        results = []
        for bits, seconds in points:
            for name, layer in self.layers.items():
                layer.converters(self.dac_bits, bits, self.bounds[bits][name])
            if bits not in galleries:
                self._wear(found[0.0])
                items = flatten(self.model.encode_items(on_device(data.items)))  # type: ignore[operator]
                galleries[bits] = _Gallery(self, programmer, bits, items, gallery_seed)
            self._wear(found[seconds])
            captions = flatten(self.model.encode_captions(on_device(data.captions)))  # type: ignore[operator]
            results.append(galleries[bits].scores(captions, seconds).numpy())
        return results

    def _wear(self, found: Mapping[str, tuple[Tensor, float]]) -> None:
        for name, worn in found.items():
            self.layers[name].wear(*worn)

    def score(
        self, sides: list[Tensor], product: Callable[[Node, Place, Tensor, Tensor], Tensor]
    ) -> Tensor:
        """Run the similarity, with each product that is on an array by ``product``.

        ``product(node, place, weights, inputs)`` gives ``inputs @ weights.T``, [B, out].
        """

        def visit(
            node: Node, args: tuple[Any, ...], kwargs: Mapping[str, Any], compute: Callable[[], Any]
        ) -> Any:
            name = operators.operator_name(node)
            if name not in ("mm", "addmm", "bmm"):
                return compute()
            kind = product_kind(node, self.origins)
            if kind not in self.kinds:
                return compute()
            side = stored_factor(node, self.origins, kind)
            operand = factors(node)[side]

            def one(part: int, first: Tensor, second: Tensor) -> Tensor:
                weights, inputs = (first, second.T) if side == 0 else (second.T, first)
                place = (operand, part)
                found = product(node, place, weights.float().contiguous(), inputs.float())
                return (found.T if side == 0 else found).to(first.dtype)

            if name == "bmm":  # an array for each part of the batch
                pairs = zip(args[0], args[1], strict=True)
                return torch.stack([one(part, *pair) for part, pair in enumerate(pairs)])
            found = one(0, args[-2], args[-1])
            if name == "mm":
                return found
            return kwargs.get("beta", 1) * args[0] + kwargs.get("alpha", 1) * found

        return run_graph(self.scorer, sides, visit)

    def _calibrate(self, model: RetrievalModel, val: RetrievalSet) -> None:
        """Choose every array's output range by what it gives on the validation split."""
        linear = [(n, layer) for n, layer in model.named_modules() if type(layer) is nn.Linear]
        seen: dict[str, tuple[Tensor, Tensor]] = {}
        with torch.inference_mode():
            with InputRecorder(linear) as of_items:
                items = flatten(model.encode_items(on_device(val.items)))
            with InputRecorder(linear) as of_captions:
                captions = flatten(model.encode_captions(on_device(val.captions)))
            self.used = {"items": list(of_items.seen), "captions": list(of_captions.seen)}
            for name, inputs in (of_items.seen | of_captions.seen).items():
                seen[name] = inputs, self.layers[name].target

            def product(node: Node, place: Place, weights: Tensor, inputs: Tensor) -> Tensor:
                seen[node.name] = inputs, weights
                return inputs @ weights.T

            self.score([*items, *captions], product)
            for bits, bounds in self.bounds.items():
                for name, (inputs, weights) in seen.items():
                    bounds[name] = choose_out_bound(inputs, weights, self.dac_bits, bits)
                for name in self.layers.keys() - seen.keys():
                    bounds[name] = 1.0  # nothing goes through it


class _Gallery:
    """Encoded items, programmed when they are first asked for; one for each number of bits."""

    def __init__(
        self, chip: Chip, programmer: Programmer, bits: int, items: list[Tensor], seed: int
    ) -> None:
        self.chip = chip
        self.programmer = programmer
        self.bits = bits
        self.items = items
        self.stream = torch.Generator().manual_seed(seed)
        self.arrays: dict[Place, tuple[Tensor, Stored]] = {}

    def scores(self, captions: list[Tensor], seconds: float) -> Tensor:
        """Return the similarity [N, M] of the items, ``seconds`` after they were programmed."""
        now: dict[Place, tuple[Tensor, float]] = {}

        def product(node: Node, place: Place, weights: Tensor, inputs: Tensor) -> Tensor:
            if place not in self.arrays:
                self.arrays[place] = (weights, self.programmer(weights, self.stream))
            target, array = self.arrays[place]
            if place not in now:
                now[place] = array.read(seconds, self.stream)
            worn, gain = now[place]
            bound = self.chip.bounds[self.bits][node.name]
            config = array_config(self.chip.dac_bits, self.bits, bound)
            return array_product(inputs, worn, target, config) * gain

        return self.chip.score([*self.items, *captions], product)


def generator(seed: np.random.SeedSequence) -> torch.Generator:
    """Return torch's generator on the CPU for a seed of numpy's."""
    return torch.Generator().manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))


def phase_change_memory(weights: Tensor, stream: torch.Generator) -> Stored:
    """Program as :mod:`polymatch.deployment.pcm` does."""
    return pcm.program(weights, stream)
