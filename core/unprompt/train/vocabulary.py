"""The frequent words of prompts, and which prompts have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unprompt.errors import DataError

if TYPE_CHECKING:
    import torch

_WORD = r"(?u)\b[^\W\d_]{2,}\b"
"""Two or more letters of any script, and no digit: as ``str.isalpha``."""


class Vocabulary:
    """The most frequent words of N prompts, without English stop words.

    Source: Croitoru et al. 2023, arXiv 2308.01472, whose vocabulary is the 1,000 most frequent
    nouns, adjectives and verbs; here no tagger decides, as most other words are scikit-learn's stop
    words.

    Attributes:
        words: W words in alphabetical order.
    """

    words: tuple[str, ...]

    def __init__(self, prompts: Sequence[str], size: int) -> None:
        """Count, each word once a prompt.

        Args:
            prompts: N prompts; equal ones count as often as they occur.
            size: The most words to take.

        Raises:
            DataError: The prompts have no words but stop words.
        """
        from sklearn.feature_extraction.text import CountVectorizer

        counter = CountVectorizer(
            token_pattern=_WORD, stop_words="english", max_features=size, binary=True
        )
        try:
            self._labels: Any = counter.fit_transform(prompts)  # sparse, (N, W)
        except ValueError as error:
            raise DataError("loss: vocabulary: the prompts have no words to learn") from error
        self.words = tuple(counter.get_feature_names_out().tolist())

    def labels(self, rows: torch.Tensor) -> torch.Tensor:
        """Which of W words the prompts ``rows`` have: float32 of 0 and 1, of shape (n, W)."""
        import torch

        dense = self._labels[rows.cpu().numpy()].toarray()
        return torch.from_numpy(dense).to(device=rows.device, dtype=torch.float32)

    def head(self, dim: int) -> torch.nn.Linear:
        """A classifier of rows (n, ``dim``) that starts with each word's frequency as its bias."""
        import torch

        head = torch.nn.Linear(dim, len(self.words))
        shares = torch.from_numpy(self._labels.mean(axis=0)).flatten().float()
        with torch.no_grad():
            head.bias.copy_(torch.logit(shares, eps=1e-4))
        return head
