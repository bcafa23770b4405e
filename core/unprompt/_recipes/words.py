"""The words of the prompts as classes of the images.

Source: SuperClass, Huang et al. 2024, arXiv 2411.03313: the words of a caption as the classes of
its image, one softmax over all of them. An image tower learns shapes, colours and styles from it in
far fewer steps than from a distance in an embedding space.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from unprompt.train.sending import sent

if TYPE_CHECKING:
    import torch

RARE = 10
"""A word in the prompts of fewer images than this is no class: it cannot be learned."""


class Words:
    """The words of N images' prompts as one distribution each.

    Attributes:
        vocabulary: W words, in the order of their classes.
        labels: float32 of shape (N, W); rows add up to 1, or are zero where no word is known.
    """

    def __init__(self, wordings: Sequence[Sequence[str]]) -> None:
        """Count the words of the prompts that could have made each of N images."""
        import torch

        words = [[_words(prompt) for prompt in prompts] for prompts in wordings]
        counts = Counter(word for prompts in words for word in set().union(*prompts))
        self.vocabulary = tuple(sorted(word for word, count in counts.items() if count >= RARE))
        classes = {word: i for i, word in enumerate(self.vocabulary)}
        self.labels = torch.zeros(len(words), len(self.vocabulary))
        for label, prompts in zip(self.labels, words, strict=True):
            for word in (word for prompt in prompts for word in prompt if word in classes):
                label[classes[word]] += 1
        self.labels /= self.labels.sum(1, keepdim=True).clamp(min=1)

    def head(self, width: int) -> torch.nn.Linear:
        """A classifier that gives each word its frequency, whatever the image."""
        import torch

        head = torch.nn.Linear(width, len(self.vocabulary))
        torch.nn.init.zeros_(head.weight)
        with torch.no_grad():
            head.bias.copy_(self.labels.mean(0).clamp(min=1e-6).log())
        return head

    def loss(self, logits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of logits (n, W) with the words of the images ``rows``."""
        import torch

        labels = sent(self.labels[rows], logits.device)
        return torch.nn.functional.cross_entropy(logits.float(), labels)


def _words(prompt: str) -> set[str]:
    return set(re.findall(r"\w+", prompt.lower()))
