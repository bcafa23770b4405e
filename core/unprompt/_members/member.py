"""A member while it is in use: prepared, loaded at most once, predicting, closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from unprompt._config.options import with_changes
from unprompt._data.formats import parquet
from unprompt._files import paths
from unprompt._files.checksums import check_part
from unprompt._files.hashing import content_hash, folder_hash
from unprompt._files.tensors import read_tensors
from unprompt._members.batches import collect, collect_embeddings, collect_variants
from unprompt._members.context import Context
from unprompt._registry.boundary import naming, overrides
from unprompt._registry.parts import Member, Part
from unprompt.contracts import Batch, Images, Predictor, TextEncoder, TrainSet
from unprompt.embeddings import Embeddings
from unprompt.errors import DataError, UnpromptError
from unprompt.types import FloatArray, PlainData

PREDICTIONS = "predictions.parquet"
VARIANTS = "variants.safetensors"
OWN = "own.safetensors"
ARTIFACTS = "artifacts"
"""The folder of a run that holds its members' artifacts."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A member with its artifact.

    Attributes:
        member: The line of the ensemble.
        artifact: The folder with what it learned.
        key: Everything that its predictions depend on, except the images.
    """

    member: Member
    artifact: Path
    key: PlainData


class LiveMember:
    """A member from building to closing, with one predictor that is loaded at most once.

    Results in the cache are read from there; if all of them are, the predictor is not loaded.
    Errors of the family begin with the member's name.
    """

    def __init__(self, member: Member, context: Context, text_encoder: TextEncoder) -> None:
        """Build the predictor; loads no checkpoint.

        Raises:
            UnpromptError: The family cannot be built.
        """
        self._member, self._context, self._text_encoder = member, context, text_encoder
        self._loaded = self._closed = False
        runtime = replace(context.runtime, text_encoder=text_encoder)
        with _owned(member):
            self._predictor: Predictor = context.registry.build(
                member.part.spec, member.part.options, runtime
            )

    def check(self) -> None:
        """Check that the member's files exist, without loading them.

        Raises:
            UnpromptError: A file or the member's artifact does not exist.
        """
        with _owned(self._member):
            self._given_artifact()
            self._key  # noqa: B018  # computing it opens every file that it depends on

    def prepare(self, train: TrainSet) -> Prepared:
        """Let the member learn, or take what it learned before from the same content.

        Args:
            train: The train split; may be empty. A member with an artifact learns nothing.

        Raises:
            UnpromptError: Raised by the family.
        """
        with _owned(self._member):
            artifact = self._given_artifact() or self._context.cache.folder(
                "artifacts",
                [self._key, _train_key(train)],
                lambda folder: self._predictor.prepare(train, folder),
            )
            key = [self._key, folder_hash(artifact), self._text_encoder.identity]
        return Prepared(self._member, artifact, key)

    def predict(self, prepared: Prepared, images: Images) -> Batch:
        """Predictions for all N images, in the order of ``images.ids``.

        Args:
            prepared: The result of this member's `prepare`.
            images: N images.

        Raises:
            UnpromptError: Raised by the family.
            PluginError: The family left out, added or repeated an image, or predicted in another
                space.
        """

        def make(folder: Path) -> None:
            batches = self._ready(prepared).predict(images)
            with naming(self._predictor, "predict"):
                batch = collect(batches, images.ids, self._text_encoder.dim)
            parquet.write(folder / PREDICTIONS, batch)

        folder = self._cached("predictions", [prepared.key, _image_key(images)], make)
        return parquet.read_batch(folder / PREDICTIONS)

    def predict_variants(
        self, prepared: Prepared, images: Images, changes: Sequence[Mapping[str, object]]
    ) -> list[Embeddings]:
        """Predictions with each choice of options.

        Args:
            prepared: The result of this member's `prepare`.
            images: N images.
            changes: V choices; each maps paths of options to their values.

        Returns:
            V predictions, images in the order of ``images.ids``.

        Raises:
            ConfigError: The family cannot change one of these options without another tower.
            PluginError: The family left out, added or repeated an image.
        """
        from safetensors.numpy import save_file

        options = [changed_member(self._member, change).part.options for change in changes]

        def make(folder: Path) -> None:
            batches = self._ready(prepared).predict_variants(images, options)
            with naming(self._predictor, "predict_variants"):
                rows = collect_variants(batches, images.ids)
            save_file({"rows": rows}, folder / VARIANTS)

        dumped = [choice.model_dump(mode="json") for choice in options]
        folder = self._cached("variants", [prepared.key, _image_key(images), dumped], make)
        shapes = {"rows": (len(changes), len(images.ids), "D")}
        rows: FloatArray = read_tensors(folder / VARIANTS, shapes)["rows"]
        return [Embeddings(images.ids, variant) for variant in rows]

    def own_embeddings(self, prepared: Prepared, images: Images) -> Embeddings | None:
        """The backbone's own embeddings of images, where it embeds in the target space.

        Args:
            prepared: The result of this member's `prepare`.
            images: N images, N > 0.

        Returns:
            N unit rows; None where the family or its backbone has none as wide as that space.

        Raises:
            PluginError: The family left out, added or repeated an image.
        """
        from safetensors.numpy import save_file

        if not overrides(self._predictor, Predictor, "own_embeddings"):
            return None

        def make(folder: Path) -> None:
            batches = self._ready(prepared).own_embeddings(images)
            with naming(self._predictor, "own_embeddings"):
                rows = collect_embeddings(batches, images.ids)
            save_file({} if rows is None else {"rows": rows}, folder / OWN)

        folder = self._cached("own", [prepared.key, _image_key(images)], make)
        rows: FloatArray | None = read_tensors(folder / OWN).get("rows")
        fits = rows is not None and rows.shape[1] == self._text_encoder.dim
        return Embeddings(images.ids, rows) if rows is not None and fits else None

    def close(self) -> None:
        """Free the predictor's memory; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._predictor.close()

    @cached_property
    def _key(self) -> PlainData:
        """Everything that predictions depend on, except the train split and the images."""
        part = self._member.part.plain()
        claim = self._context.registry.claim(part["plugin"])
        return {
            "part": {"plugin": claim.name, "options": part["options"]},
            "plugin": [claim.distribution, claim.version],
            "source": self._context.registry.source_hash(part["plugin"]),
            "identity": dict(self._predictor.identity()),
            "precision": self._context.runtime.precision,
        }

    def _given_artifact(self) -> Path | None:
        """The artifact in the ensemble's YAML, if there is one.

        Raises:
            DataError: It does not exist, or a file of it is not as its run wrote it.
        """
        artifact = self._member.artifact
        if artifact is None:
            return None
        if not paths.is_folder(artifact):
            raise DataError(f"no artifact folder {paths.shown(artifact)}")
        if artifact.parent.name == ARTIFACTS:  # of a run, which knows what it wrote
            check_part(artifact.parent.parent, f"{ARTIFACTS}/{artifact.name}")
        return artifact

    def _ready(self, prepared: Prepared) -> Predictor:
        """The predictor, loaded on the first call."""
        if not self._loaded:
            self._predictor.load(prepared.artifact)
            self._loaded = True
        return self._predictor

    def _cached(self, kind: str, key: PlainData, make: Callable[[Path], None]) -> Path:
        with _owned(self._member):
            return self._context.cache.folder(kind, key, make)


def changed_member(member: Member, changes: Mapping[str, object]) -> Member:
    """The member with some options replaced; the same member without changes."""
    if not changes:
        return member
    part = member.part
    options = type(part.options).model_validate(with_changes(part.options, changes))
    return replace(member, part=Part(part.spec, options))


def _train_key(train: TrainSet) -> PlainData:
    rows = [(r.image_id, train.images.digest(r.image_id), r.prompt) for r in train.records]
    return [train.text_encoder.identity, train.group_cosine, content_hash(rows)]


def _image_key(images: Images) -> PlainData:
    return [(name, images.digest(name)) for name in images.ids]


@contextmanager
def _owned(member: Member) -> Iterator[None]:
    """Put the names of member and plugin in front of each error line of the family."""
    owner = f"member {member.name!r}"
    if member.name != member.part.plugin:
        owner += f" (plugin {member.part.plugin!r})"
    try:
        yield
    except UnpromptError as error:
        error.prefix(f"member {member.name!r}: " if error.named else f"{owner}: ")
        raise
