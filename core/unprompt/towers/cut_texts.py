"""open_clip's text tower without the padding at the end of a batch.

Tokenizers fill every text up to the tower's context, 77 tokens for CLIP, of which a prompt has a
third. The tower is causal: no token sees a later one, and a text's row is that of its last token,
so that columns in which every text has ended change nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def can_cut(model: Any) -> bool:
    """Whether an open_clip model's text tower is CLIP's own: causal, read at its end token."""
    kind = type(model)
    return (
        kind.__name__ == "CLIP"
        and kind.__module__ == "open_clip.model"
        and getattr(model, "text_pool_type", None) == "argmax"
        and getattr(model, "attn_mask", None) is not None
        and type(model.text_projection).__name__ in ("Parameter", "Linear", "NoneType")
    )


def ends(tokens: torch.Tensor) -> torch.Tensor:
    """Each text's length (n,): tokens up to the end token, which has the highest number."""
    return tokens.argmax(dim=-1) + 1


def encode_cut(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """What ``model.encode_text`` gives, (n, C), computed up to the end of the longest text.

    Args:
        model: As `can_cut` says.
        tokens: Token ids (n, context), on the model's device.
    """
    import torch

    length = int(ends(tokens).max()) if len(tokens) else 1
    tokens = tokens[:, :length]
    kind = model.transformer.get_cast_dtype()
    states = model.token_embedding(tokens).to(kind)
    states = states + model.positional_embedding[:length].to(kind)
    states = model.transformer(states, attn_mask=model.attn_mask[:length, :length])
    rows = torch.arange(len(tokens), device=tokens.device)
    return projected(model, states[rows, tokens.argmax(dim=-1)])


def projected(model: Any, last: torch.Tensor) -> torch.Tensor:
    """The embeddings (n, C) of texts whose end tokens' states are ``last`` (n, width)."""
    import torch

    last = model.ln_final(last)
    if model.text_projection is None:
        return last
    if isinstance(model.text_projection, torch.nn.Linear):
        turned: torch.Tensor = model.text_projection(last)
        return turned
    rows: torch.Tensor = last @ model.text_projection
    return rows
