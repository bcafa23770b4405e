"""The linear layers of models that libraries bring, by the quicker way.

A class of PyTorch's is the base here, so that this module is only imported where torch is used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch  # noqa: TID253  # see above
from torch.nn import functional  # noqa: TID253  # likewise
from torch.overrides import TorchFunctionMode  # noqa: TID253  # likewise

from unprompt._compute.linear import linear

_ATTENTION = inspect.signature(functional.multi_head_attention_forward)
_NONE = ("bias_k", "bias_v", "key_padding_mask")
_FALSE = ("add_zero_attn", "need_weights", "training", "use_separate_proj_weight")
"""Arguments of attention that are none, or false, where it is `_attention`."""


class QuickLinear(TorchFunctionMode):
    """Puts `linear` in the place of PyTorch's, wherever a model's code calls it."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """What ``func`` gives."""
        kwargs = kwargs or {}
        if func is functional.linear and kwargs.keys() <= {"weight", "bias"}:
            return linear(*args, **kwargs)
        if func is functional.multi_head_attention_forward:  # whose linear layers do not come here
            given = _ATTENTION.bind(*args, **kwargs)
            given.apply_defaults()
            if _is_usual(given.arguments):
                return _attention(given.arguments), None
        return func(*args, **kwargs)


def _is_usual(given: Mapping[str, Any]) -> bool:
    """Whether it is attention of a batch's tokens to each other, in evaluation mode."""
    query, mask = given["query"], given["attn_mask"]
    return (
        query is given["key"]
        and query is given["value"]
        and query.dim() == 3
        and given["in_proj_weight"] is not None
        and all(given[name] is None for name in _NONE)
        and not any(given[name] for name in _FALSE)
        and (mask is None or mask.dtype == query.dtype)
        and (mask is not None or not given["is_causal"])
    )


def _attention(given: Mapping[str, Any]) -> torch.Tensor:
    """`torch.nn.functional.multi_head_attention_forward`'s output, of shape (L, N, E)."""
    query, mask, heads = given["query"], given["attn_mask"], given["num_heads"]
    length, count, width = query.shape
    both = linear(query, given["in_proj_weight"], given["in_proj_bias"])
    parts = both.view(length, count, 3, heads, width // heads)
    queries, keys, values = parts.permute(2, 1, 3, 0, 4)  # (N, heads, L, width of a head)
    if mask is not None and mask.dim() == 3:
        mask = mask.view(count, heads, length, length)
    mixed = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    mixed = mixed.permute(2, 0, 1, 3).reshape(length, count, width)
    return linear(mixed, given["out_proj_weight"], given["out_proj_bias"])
