"""What each ATen operator costs, and whether an analog array, digital logic or neither does it.

Core ATen operators only: graphs are decomposed into these before they are counted. An operator
that is not listed here is ``unknown``; it is never taken for free.
"""

from __future__ import annotations

from torch import Tensor
from torch.fx import Node

PRODUCT = "product"
SAMPLING = "sampling"
SOFTMAX = "softmax"
SORT = "sort"
NONLINEAR = "nonlinear"
ELEMENTWISE = "elementwise"
MOVEMENT = "movement"
UNKNOWN = "unknown"

_OPERATORS = {
    PRODUCT: "mm addmm bmm baddbmm",
    SAMPLING: "bernoulli multinomial native_dropout normal normal_functional poisson rand "
    "rand_like randint randint_like randn randn_like randperm uniform",
    SOFTMAX: "_log_softmax _safe_softmax _softmax logcumsumexp logsumexp",
    SORT: "argsort kthvalue median sort topk",
    NONLINEAR: "acos acosh asin asinh atan atan2 atanh cos cosh elu erf erfc erfinv exp expm1 gelu "
    "hardsigmoid hardswish hardtanh leaky_relu lgamma linalg_vector_norm log log10 log1p log2 "
    "mish native_layer_norm reciprocal rsqrt sigmoid silu sin sinh softplus sqrt tan tanh",
    # Batch norm with the statistics of training: a multiplication and an addition for each number.
    ELEMENTWISE: "_native_batch_norm_legit_no_training abs add amax amin any argmax argmin "
    "bitwise_and bitwise_not bitwise_or ceil clamp clamp_max clamp_min cumsum eq floor ge gt le "
    "logical_and logical_not logical_or lt maximum max mean min minimum mul ne neg prod relu "
    "round rsub sign sub sum trunc var var_mean where",
    MOVEMENT: "_assert_tensor_metadata _to_copy alias arange as_strided cat clone constant_pad_nd "
    "copy detach diagonal empty expand fill flip full full_like gather getitem index index_select "
    "lift_fresh_copy masked_fill new_empty new_full new_zeros ones_like permute repeat reshape "
    "scalar_tensor scatter select select_scatter slice slice_scatter split split_with_sizes "
    "squeeze stack sym_numel sym_size sym_size_int transpose unbind unsqueeze view zeros "
    "zeros_like",
}
_CATEGORY = {name: kind for kind, names in _OPERATORS.items() for name in names.split()}
# These look at every input once, and give fewer numbers than they take.
_REDUCTIONS = frozenset(
    {"amax", "amin", "any", "argmax", "argmin", "linalg_vector_norm", "logsumexp", "max", "mean"}
    | {"median", "min", "prod", "sum", "topk", "var", "var_mean"}
)


def operator_name(node: Node) -> str:
    """Return ``add`` for ``aten.add.Tensor``.

    Index arithmetic on sizes has Python's own functions as operators: ``getitem``, ``add``.
    """
    overload = getattr(node.target, "overloadpacket", node.target)
    return str(getattr(overload, "__name__", overload)).rsplit(".", 1)[-1]


def category(node: Node, value: object) -> str:
    """Return what kind of work a node is; ``value`` is its result.

    Arithmetic on plain numbers (sizes) is movement: it costs nothing for each item or caption.
    """
    if not isinstance(value, Tensor | tuple | list):
        return MOVEMENT
    name = operator_name(node)
    if name == "div":  # by a number that is known before: a multiplication
        return NONLINEAR if isinstance(node.args[1], Node) else ELEMENTWISE
    if name == "pow":
        power = node.args[1]
        return ELEMENTWISE if isinstance(power, int) or power in (2.0, 3.0) else NONLINEAR
    return _CATEGORY.get(name, UNKNOWN)


def operations(node: Node, args: tuple[object, ...], value: object) -> int:
    """Return multiply-accumulates of a matrix product, or numbers worked on by anything else."""
    name = operator_name(node)
    tensors = [x for x in args if isinstance(x, Tensor)]
    if name in ("mm", "bmm", "addmm", "baddbmm"):
        assert isinstance(value, Tensor)
        return value.numel() * tensors[-1].shape[-2]
    if name in _REDUCTIONS and tensors:
        return tensors[0].numel()
    parts = value if isinstance(value, tuple | list) else [value]
    return sum(part.numel() for part in parts if isinstance(part, Tensor))
