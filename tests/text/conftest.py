"""A small space in which every text has something in common, and one word has nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import numpy as np
import pytest

from unprompt import TextEncoder, unit
from unprompt.types import DoubleArray, FloatArray

if TYPE_CHECKING:
    from tests.conftest import MakeRun

Command = Callable[..., CompletedProcess[str]]

STICKY = "lucrarea"


class Space(TextEncoder):
    """A text is the sum of its words; each has a direction of its own and the common one.

    ``lucrarea`` has only the common one, so that it raises every text's cosine with every other.
    """

    def __init__(self) -> None:
        self.lists: list[list[str]] = []

    @property
    def identity(self) -> str:
        return "space"

    @property
    def dim(self) -> int:
        return 64

    def encode(self, texts: Sequence[str]) -> FloatArray:
        self.lists.append(list(texts))
        rows = [sum((self._word(word) for word in _words(text)), np.zeros(64)) for text in texts]
        return unit(np.stack(rows)) if rows else np.empty((0, 64), np.float32)

    def _word(self, word: str) -> DoubleArray:
        common = np.full(self.dim, 0.4)
        if word == STICKY:
            common *= 4
            return common
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
        row: DoubleArray = np.random.default_rng(seed).normal(size=self.dim) + common
        return row


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


@pytest.fixture
def composing_run(make_run: MakeRun) -> Path:
    """A finished run whose test prompts have parts of several train prompts."""
    kinds, wheres = ("fox", "wolf", "king", "boat"), ("snow", "cave", "city")
    pairs = [f"a {what} in a {where}" for what in kinds for where in wheres]
    every = [f"{pair} by {who}" for pair in pairs for who in ("anna", "ben")]
    train = {f"train-{i}": prompt for i, prompt in enumerate(every[::2])}
    return make_run(prompts=train | {f"test-{i}": prompt for i, prompt in enumerate(every[1::2])})


@pytest.fixture
def command(unprompt: Command) -> Command:
    """The fixture `unprompt`, for tests that import the package too."""
    return unprompt


@pytest.fixture
def space() -> Space:
    return Space()
