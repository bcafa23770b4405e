"""What a training minimises: a sum of weighted losses, bound to the images of a train set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from unprompt._data.predictions import read_prediction_file
from unprompt._files.paths import shown
from unprompt.contracts import TrainSet
from unprompt.errors import DataError, named
from unprompt.train import losses
from unprompt.train.loss_options import Angular, Contrastive, Distillation, Term, Words
from unprompt.train.sending import sent
from unprompt.train.vocabulary import Vocabulary
from unprompt.types import FloatArray

if TYPE_CHECKING:
    import torch

ROWS = "rows"
"""The output of a model that is the predicted rows; others are a term's own."""


class Criterion:
    """The sum of a training's losses, for the images of a train set.

    Attributes:
        extras: Modules to train beside the model, each from predicted rows to its own output; they
            are not part of what predicts.
    """

    extras: Mapping[str, torch.nn.Module]

    def __init__(self, terms: Sequence[Term], train: TrainSet, *, weighted: bool = True) -> None:
        """Bind the losses.

        Args:
            terms: What YAML says.
            train: N images; the order of its records is that of ``rows``.
            weighted: Whether the records' weights count.

        Raises:
            DataError: The sum of weights is zero, or the predictions of a teacher lack images, are
                of another text encoder, or cannot be read.
        """
        import torch

        ids = [record.image_id for record in train.records]
        texts = [record.prompt for record in train.records]
        numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        self._terms = tuple(terms)
        self._targets = torch.from_numpy(train.targets.select(ids).rows)
        self._prompts = torch.tensor([numbers[text] for text in texts])
        weights = [record.weight if weighted else 1.0 for record in train.records]
        self._weights = _scaled(weights)
        self._teachers = {
            place: torch.from_numpy(_teacher(term, ids, train))
            for place, term in enumerate(self._terms)
            if isinstance(term, Distillation)
        }
        self._words = next(
            (Vocabulary(texts, term.words) for term in terms if isinstance(term, Words)), None
        )
        dim = train.targets.dim
        self.extras = {} if self._words is None else {"words": self._words.head(dim)}

    def __call__(self, outputs: Mapping[str, torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
        """The loss of a batch.

        Args:
            outputs: ``rows``: predicted rows (n, D) of any length; and what each of `extras` makes
                of them, by its name.
            rows: Which of the N images they are, (n,), on the CPU.
        """
        import torch

        device = outputs[ROWS].device
        weights = sent(self._weights[rows], device)
        with torch.autocast(device.type, enabled=False):  # sums of bfloat16 have three digits
            wide = {name: value.float() for name, value in outputs.items()}
            parts = [
                term.weight * self._part(place, term, wide, rows, weights)
                for place, term in enumerate(self._terms)
            ]
            return sum(parts[1:], start=parts[0])

    def _part(
        self,
        place: int,
        term: Term,
        outputs: Mapping[str, torch.Tensor],
        rows: torch.Tensor,
        weights: torch.Tensor,
    ) -> torch.Tensor:
        """One loss, without its weight."""
        predicted = outputs[ROWS]
        targets = sent(self._targets[rows], predicted.device)
        if isinstance(term, Angular):
            return losses.angular(predicted, targets, weights)
        if isinstance(term, Contrastive):
            prompts = sent(self._prompts[rows], predicted.device)
            return losses.contrastive(predicted, targets, prompts, weights, term.temperature)
        if isinstance(term, Distillation):
            taught = sent(self._teachers[place][rows], predicted.device)
            return losses.cosine(predicted, taught, weights * taught.any(dim=1))
        loss = losses.cosine(predicted, targets, weights)
        if isinstance(term, Words) and self._words is not None:
            labels = sent(self._words.labels(rows), predicted.device)
            loss = loss + term.bce * losses.words(outputs["words"], labels, weights)
            loss = loss + term.huber * losses.huber(predicted, targets, weights)
        return loss


def _scaled(weights: Sequence[float]) -> torch.Tensor:
    """The same with a mean of 1."""
    import torch

    given = torch.tensor(weights, dtype=torch.float64)
    if not given.sum() > 0:
        raise DataError("no train image has a weight above zero")
    return (given / given.mean()).float()


def _teacher(term: Distillation, ids: Sequence[str], train: TrainSet) -> FloatArray:
    """A teacher's rows of the train images, (N, D); zero where it abstained."""
    path = term.teacher.path
    file = read_prediction_file(path)
    known = set(file.embeddings.ids)
    missing = [name for name in ids if name not in known]
    if missing:
        raise DataError(
            f"{shown(path)}: has no predictions of {len(missing)} of {len(ids)} train images: "
            f"{named(missing)}"
        )
    if file.embeddings.dim != train.targets.dim:
        raise DataError(
            f"{shown(path)}: rows have {file.embeddings.dim} numbers, the target space "
            f"{train.targets.dim}"
        )
    if file.space is not None and file.space.identity != train.text_encoder.identity:
        raise DataError(
            f"{shown(path)}: predicted for the text encoder {file.space.identity!r}, and this one "
            f"is {train.text_encoder.identity!r}"
        )
    return file.embeddings.select(ids).rows
