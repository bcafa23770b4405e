"""open_clip's text tower over texts that begin alike, whose common beginning is computed once.

The tower is causal: what a text begins with does not depend on how it goes on. Each group of texts
becomes one sequence, the common beginning followed by the texts' own ends side by side, each of
which sees the beginning and itself. With 16 phrases to choose from after a long prompt that is a
fourth of the tokens.

Source: tree attention, Miao et al., SpecInfer, arXiv 2305.09781.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unprompt.towers.cut_texts import ends, projected

if TYPE_CHECKING:
    import torch


MOST = 32
"""Texts in one sequence at most: its attention grows with their square."""


def split_group(tokens: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """A group's token ids (n, context) in parts of at most `MOST` texts; none where n is 0."""
    import torch

    return torch.split(tokens, MOST) if len(tokens) else ()


def chunks(groups: Sequence[torch.Tensor], most: int) -> Iterator[list[int]]:
    """The numbers of groups with at most ``most`` texts together, or of one; short ones first.

    Args:
        groups: Token ids (n, context), n > 0, of each group.
        most: At least 1.
    """
    part: list[int] = []
    size = 0
    lengths = [int(ends(rows).max()) for rows in groups]
    for number in sorted(range(len(groups)), key=lambda number: lengths[number]):
        if part and size + len(groups[number]) > most:
            yield part
            part, size = [], 0
        part.append(number)
        size += len(groups[number])
    if part:
        yield part


def encode_branches(model: Any, tokens: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """What ``model.encode_text`` gives, of shape (N, C).

    Args:
        model: As `cut_texts.can_cut` says.
        tokens: Token ids (N, context) of N > 0 texts, on the model's device.
        group: The number of each text's group (N,), 0 to G - 1; a group's texts follow one another.
    """
    import torch

    tree = _Tree.of(tokens, group)
    kind = model.transformer.get_cast_dtype()
    states = model.token_embedding(tree.tokens).to(kind)
    states = states + model.positional_embedding[tree.places].to(kind)
    mask = torch.zeros(tree.seen.shape, dtype=kind, device=tokens.device)
    mask.masked_fill_(~tree.seen, -torch.inf)
    heads = model.transformer.resblocks[0].attn.num_heads
    states = model.transformer(states, attn_mask=mask.repeat_interleave(heads, dim=0))
    return projected(model, states[group, tree.last])


@dataclass(frozen=True, slots=True, eq=False)
class _Tree:
    """G groups of texts, each as one sequence of S tokens.

    Attributes:
        tokens: Of each sequence (G, S): the beginning, what each text goes on with, padding.
        places: Where each token is in its text (G, S).
        seen: Which tokens (the last axis) each token attends to (G, S, S).
        last: Where in its group's sequence each text ends (N,).
    """

    tokens: torch.Tensor
    places: torch.Tensor
    seen: torch.Tensor
    last: torch.Tensor

    @classmethod
    def of(cls, tokens: torch.Tensor, group: torch.Tensor) -> _Tree:
        import torch

        sizes = torch.bincount(group)  # (G,)
        first = sizes.cumsum(0) - sizes
        lengths = ends(tokens)
        begin = _common(tokens, group, first, lengths)  # (G,)
        own = lengths - begin[group]  # tokens that a text has for itself (N,)
        before = own.cumsum(0) - own
        before = before - before[first][group]  # those of its group's texts before it (N,)
        head = int(begin.max())
        width = head + int((before + own).max())  # S
        text = torch.arange(len(own), device=own.device).repeat_interleave(own)
        step = torch.arange(len(text), device=own.device) - (own.cumsum(0) - own)[text]
        row, column = group[text], head + before[text] + step
        place = begin[row] + step

        def filled(beginning: torch.Tensor, values: torch.Tensor, rest: int) -> torch.Tensor:
            made = values.new_full((len(sizes), width), rest)
            made[:, :head] = beginning
            made[row, column] = values
            return made

        places = filled(torch.arange(head, device=own.device), place, 0)
        return cls(
            tokens=filled(tokens[first][:, :head], tokens[text, place], 0),
            places=places,
            seen=_seen(places, filled(text.new_tensor(-1), text, -2), begin),
            last=head + before + own - 1,
        )


def _common(
    tokens: torch.Tensor, group: torch.Tensor, first: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    """How many tokens each group's texts have in common (G,), the last one of none of them."""
    alike = (tokens == tokens[first][group]).cumprod(dim=1).sum(dim=1)
    alike = alike.minimum(lengths - 1)
    return alike.new_full((len(first),), tokens.shape[1]).scatter_reduce(0, group, alike, "amin")


def _seen(places: torch.Tensor, text: torch.Tensor, begin: torch.Tensor) -> torch.Tensor:
    """Which tokens each token of a sequence attends to (G, S, S).

    Args:
        places: Of each token (G, S).
        text: Of which text each token is (G, S); -1: of the beginning; -2: of none.
        begin: The length of each group's beginning (G,); what follows it there is of no text.
    """
    earlier = places[:, None, :] <= places[:, :, None]
    of_beginning = (text == -1) & (places < begin[:, None])  # (G, S)
    own = text[:, None, :] == text[:, :, None]
    return (of_beginning[:, None, :] | own) & earlier
