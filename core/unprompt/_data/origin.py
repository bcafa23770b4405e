"""Where a prompt comes from: predicted from the image, or read from its file."""

from __future__ import annotations

from typing import Literal

from unprompt.types import BoolArray

Origin = Literal["predicted", "read", "none"]
"""``predicted``, ``read`` from the image's file, or ``none``: nobody has an answer."""


def origins(answered: BoolArray, read: BoolArray) -> tuple[Origin, ...]:
    """The origin of each of N answers.

    Args:
        answered: Whether the blend has an answer, of shape (N,).
        read: Whether a member of the blend read a prompt from the file, of shape (N,).
    """
    return tuple(
        "read" if is_read else "predicted" if is_answered else "none"
        for is_answered, is_read in zip(answered.tolist(), read.tolist(), strict=True)
    )
