"""Several captions of an image, spread evenly over what the model may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig


class EvenSampling:
    """A logits processor of transformers that takes the tokens of N captions, spread evenly.

    At every step each of an image's captions has a number in 0..1 of its own, and takes the token
    around it, where tokens lie beside each other in their order, each as wide as it is likely. Each
    caption is a sample of the model; of the N numbers of a step one is in each Nth of 0..1, so that
    together they leave less out than samples that know nothing of each other. The numbers are the
    same for all images, and nothing else is random: a caption does not depend on its batch.

    Source: Latin hypercube sampling, McKay, Beckman and Conover, Technometrics 21 (1979).
    """

    def __init__(self, count: int) -> None:
        """For ``count`` captions of each image, whose rows follow one another."""
        self._count = count
        self._random = np.random.default_rng(0)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Leave one token of each row.

        Args:
            input_ids: What there is of the captions, of shape (n * N, L).
            scores: Logits of the next token, of shape (n * N, V).

        Returns:
            0 for that token, minus infinity for the others.
        """
        import torch

        within = (self._random.permutation(self._count) + self._random.random()) / self._count
        numbers = torch.from_numpy(within).repeat(len(scores) // self._count).to(scores.device)
        ends = scores.double().softmax(dim=1).cumsum(dim=1)
        wanted = numbers[:, None] * ends[:, -1:]
        token = torch.searchsorted(ends, wanted, right=True).clamp(max=ends.shape[1] - 1)
        return torch.full_like(scores, -torch.inf).scatter_(1, token, 0.0)


def take_likeliest(
    model: Any, tokens: torch.Tensor, *, generation_config: GenerationConfig, **rest: Any
) -> Any:
    """The decoding loop of transformers' ``generate`` where a processor has left one token.

    To draw that one, the loop would make a random number for every token of the vocabulary, which
    takes longer than a small model's step; and it gives several captions of an image only where it
    draws.
    """
    generation_config.do_sample = False
    return model._sample(tokens, generation_config=generation_config, **rest)
