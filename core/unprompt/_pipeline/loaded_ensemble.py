"""An ensemble that is ready to predict, and what it predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unprompt._data.checking import Readable, readable
from unprompt._data.expected import Expected
from unprompt._data.found import Report
from unprompt._data.image_input import ImageInput, as_images
from unprompt._data.origin import Origin, origins
from unprompt._data.predictions import Fields, format_of, write_predictions
from unprompt._data.space import TextSpace
from unprompt._files.paths import user_path
from unprompt._members.context import Context
from unprompt._members.ensemble import Blended, combine, empty_train_set, predict_members
from unprompt._pipeline.expected import expect, fields_of
from unprompt._pipeline.inputs import check_no_input
from unprompt._registry.parts import Ensemble
from unprompt._runs.expected import LearnedExpectation
from unprompt.contracts import Batch, Evidence
from unprompt.embeddings import Embeddings


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """An ensemble's predictions for N images.

    Attributes:
        embeddings: Unit rows keyed by image id, of shape (N, D); a zero row where no member has an
            answer.
        prompts: Image id -> the prompt that was read from the file, else the readable guess; None
            where no member has words for it.
        evidence: Image id -> every member's reasons.
        skipped: Id of an image that could not be read -> why; only with ``skip_unreadable``.
        report: Every file that was found and not predicted, with the reason, and notes.
        readback: Image id -> the cosine of the guess's embedding with the predicted one, -1..1;
            None where there is no guess.
        composed: Image id -> whether the guess is put together from parts of several texts.
        expected: Image id -> the score to expect and whether the image is out of domain; None
            where nothing is known, see `LoadedEnsemble.expects_nothing`.
        origin: Image id -> ``predicted``, ``read`` where a member read the prompt from the file,
            or ``none`` where no member has an answer.
        answered: Member -> how many of the N images it has an answer for.
        space: The text encoder that they were predicted for.
    """

    embeddings: Embeddings
    prompts: Mapping[str, str | None]
    evidence: Mapping[str, tuple[Evidence, ...]]
    skipped: Mapping[str, str]
    report: Report = field(default_factory=Report)
    readback: Mapping[str, float | None] = field(default_factory=dict)
    composed: Mapping[str, bool] = field(default_factory=dict)
    expected: Mapping[str, Expected | None] = field(default_factory=dict)
    origin: Mapping[str, Origin] = field(default_factory=dict)
    answered: Mapping[str, int] = field(default_factory=dict)
    space: TextSpace | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The images' ids, in the order of the rows."""
        return self.embeddings.ids

    def save(self, path: Path | str, format: str | None = None) -> None:
        """Write the predictions, all or nothing; folders above the file are made.

        Args:
            path: Where to; an old file is replaced.
            format: ``kaggle``, ``jsonl``, ``parquet`` or ``npy``; None: by the suffix.

        Raises:
            DataError: There is no such format.
            OutputError: The file cannot be written.
        """
        batch = Batch(
            self.embeddings,
            tuple(self.prompts[name] for name in self.ids),
            tuple(self.evidence[name] for name in self.ids),
        )
        target = user_path(path)
        answered = self.embeddings.answered
        usual = dict(zip(self.ids, origins(answered, np.zeros_like(answered)), strict=True))
        fields: Fields = {
            "origin": [self.origin.get(name, usual[name]) for name in self.ids],
            "readback": [self.readback.get(name) for name in self.ids],
            "composed": [self.composed.get(name, False) for name in self.ids],
            **fields_of(self.expected, self.ids),
        }
        write_predictions(target, format_of(target, format), batch, fields, self.space)


class LoadedEnsemble:
    """An ensemble that is ready to predict; made by `load_ensemble`."""

    def __init__(
        self, ensemble: Ensemble, context: Context, expectation: LearnedExpectation | str
    ) -> None:
        """Store all; towers are loaded by `predict`, and results are cached between calls.

        Args:
            ensemble: Checked configuration.
            context: Registry, runtime and cache.
            expectation: What a run of this ensemble has learned to expect, or why there is none.
        """
        self._ensemble, self._context, self._expectation = ensemble, context, expectation

    @property
    def expects_nothing(self) -> str | None:
        """Why predictions have no expected score, in one line; None where they have one."""
        return self._expectation if isinstance(self._expectation, str) else None

    @property
    def name(self) -> str:
        """As its YAML says it."""
        return self._ensemble.name

    @property
    def reading(self) -> tuple[str, ...]:
        """The members that read prompts from files instead of predicting them."""
        return tuple(member.name for member in self._ensemble.members if member.reads)

    @property
    def weights(self) -> Mapping[str, float]:
        """Member -> weight in the blend."""
        return {member.name: member.weight for member in self._ensemble.members}

    def check_output(self, output: Path, file: Path, images: Sequence[str | Path]) -> None:
        """Check that a file for predictions is none that `predict` reads.

        Args:
            output: The file to write.
            file: The YAML file that the ensemble came from.
            images: Paths, folders and globs, as `predict` takes them.

        Raises:
            OutputError: It is, or it lies in a folder that the ensemble names.
        """
        check_no_input(output, file, self._ensemble, images)

    def predict(
        self,
        images: ImageInput,
        *,
        skip_unreadable: bool = False,
        prompts: bool = True,
        edit: bool = True,
    ) -> Predictions:
        """Predict the prompts behind images.

        Args:
            images: Paths, folders, globs, images of Pillow, or a map from ids to images of Pillow.
            skip_unreadable: Leave out images that cannot be read, instead of stopping.
            prompts: Whether to look for readable prompts, which costs text encoding.
            edit: Whether to edit them until they read like the predictions; without, the nearest
                of the members' texts is taken as it is.

        Raises:
            UnpromptError: A path, an image or a member's file is not there or broken.
        """
        workers = self._context.runtime.workers
        checked = readable(
            as_images(images), workers, skip=skip_unreadable, decode=not self._only_reads
        )
        return self.predict_readable(checked, prompts=prompts, edit=edit)

    @property
    def _only_reads(self) -> bool:
        """Whether no member that takes part looks at an image: each opens the file's header."""
        return all(name in self.reading for name, weight in self.weights.items() if weight > 0)

    def predict_readable(
        self, checked: Readable, *, prompts: bool = True, edit: bool = True
    ) -> Predictions:
        """As `predict`, for images that have been opened once."""
        part = self._ensemble.text_encoder
        train = empty_train_set(self._context.text_encoder(part))
        members = predict_members(self._ensemble, checked.images, train, self._context)
        weights = {name: self.weights[name] for name in members}
        encoder = train.text_encoder if prompts else None
        blended = combine(
            [*members.values()],
            [*weights.values()],
            encoder,
            edit=edit,
            reads=[name in self.reading for name in members],
        )
        batch = blended.batch
        ids = batch.embeddings.ids
        return Predictions(
            batch.embeddings,
            dict(zip(ids, batch.prompts, strict=True)),
            dict(zip(ids, batch.evidence, strict=True)),
            checked.skipped,
            checked.report,
            readback=blended.readback,
            composed=blended.composed,
            expected=self._expected(members, weights, blended, edit),
            origin=blended.origin,
            answered={
                name: int(member.embeddings.answered.sum()) for name, member in members.items()
            },
            space=TextSpace(**part.plain(), identity=train.text_encoder.identity),
        )

    def _expected(
        self,
        members: Mapping[str, Batch],
        weights: Mapping[str, float],
        blended: Blended,
        edit: bool,
    ) -> Mapping[str, Expected | None]:
        learned = self._expectation
        if isinstance(learned, str):
            return dict.fromkeys(blended.batch.embeddings.ids)
        content = learned.content
        readback = blended.readback if edit == content.edited else {}
        return expect(content.model, learned.domain, members, weights, readback)
