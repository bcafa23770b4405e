"""Which words a picture calls for: a classification lesson taken straight from the prompts.

Source: SuperClass, Huang et al. 2024, arXiv 2411.03313: the words of a caption as the classes of its
picture, one softmax over all of them. An image tower learns shapes, colours and styles from it in
far fewer steps than from a distance in an embedding space.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

RARE = 10
"""A word in fewer prompts than this teaches nothing that can be learned."""


class Words:
    """The words of N pictures' prompts as one distribution each.

    Attributes:
        vocabulary: W words, in the order of their classes.
        labels: float32 of shape (N, W); rows add up to 1, or are zero where no word is known.
    """

    def __init__(self, wordings: Sequence[Sequence[str]]) -> None:
        """Count words.

        Args:
            wordings: For each of N pictures the prompts that could have made it.
        """
        import torch

        found = [[_words(prompt) for prompt in prompts] for prompts in wordings]
        spread = Counter(word for prompts in found for word in set().union(*prompts))
        self.vocabulary = tuple(sorted(word for word, count in spread.items() if count >= RARE))
        number = {word: place for place, word in enumerate(self.vocabulary)}
        self.labels = torch.zeros(len(found), len(self.vocabulary))
        for row, prompts in zip(self.labels, found, strict=True):
            for word in (word for prompt in prompts for word in prompt if word in number):
                row[number[word]] += 1
        self.labels /= self.labels.sum(1, keepdim=True).clamp(min=1)

    def head(self, width: int) -> torch.nn.Linear:
        """A classifier that knows how frequent words are, and nothing else yet."""
        import torch

        head = torch.nn.Linear(width, len(self.vocabulary))
        torch.nn.init.zeros_(head.weight)
        with torch.no_grad():
            head.bias.copy_(self.labels.mean(0).clamp(min=1e-6).log())
        return head

    def loss(self, logits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Cross-entropy with the words of pictures ``rows``; logits of shape (n, W)."""
        import torch

        return torch.nn.functional.cross_entropy(logits.float(), self.labels[rows])


def _words(prompt: str) -> set[str]:
    return set(re.findall(r"\w+", prompt.lower()))
