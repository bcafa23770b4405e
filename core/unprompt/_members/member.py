"""A member while it is in use: prepared, loaded at most once, predicting, closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from unprompt._config.free import without_free
from unprompt._config.options import with_changes
from unprompt._data.formats import parquet
from unprompt._files import paths
from unprompt._files.checksums import check_part
from unprompt._files.hashing import folder_hash
from unprompt._files.tensors import read_tensors
from unprompt._members.artifact import ArtifactFile, check_artifact, check_made, made_now, seal
from unprompt._members.batches import collect, collect_embeddings, collect_variants
from unprompt._members.cached_text import key_of
from unprompt._members.context import Context
from unprompt._members.keys import image_key, train_key
from unprompt._registry.boundary import naming, overrides
from unprompt._registry.claims import Claim
from unprompt._registry.parts import Member
from unprompt.contracts import Batch, Images, Predictor, TextEncoder, TrainSet
from unprompt.embeddings import Embeddings
from unprompt.errors import DataError, OutputError, UnpromptError
from unprompt.train.checkpoints import forget
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
        learned: Whether it was learned just now; else it is given, or was in the cache.
    """

    member: Member
    artifact: Path
    key: PlainData
    learned: bool


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
            self._given_artifact  # noqa: B018  # reading it checks it
            self._key  # noqa: B018  # computing it opens every file that it depends on

    def prepare(self, train: TrainSet) -> Prepared:
        """Let the member learn, or take what it learned before from the same content.

        Args:
            train: The train split; may be empty. A member with an artifact learns nothing.

        Raises:
            UnpromptError: Raised by the family.
        """
        with _owned(self._member):
            given = self._given_artifact
            artifact, learned = (given, False) if given is not None else self._learn(train)
            key = [self._key, folder_hash(artifact), key_of(self._text_encoder)]
        return Prepared(self._member, artifact, key, learned)

    def predict(self, prepared: Prepared, images: Images) -> Batch:
        """Predictions for all N images, in the order of ``images.ids``.

        Args:
            prepared: The result of this member's `prepare`.
            images: N images.

        Raises:
            UnpromptError: Raised by the family.
            PluginError: The family left out, added or repeated an image, predicted in another
                space, or abstained from an image and still gave a prompt or evidence for it.
        """
        reads = self._member.reads

        def predicted() -> Batch:
            batches = self._ready(prepared).predict(images)
            with naming(self._predictor, "predict"):
                return collect(batches, images.ids, self._text_encoder.dim, reads=reads)

        def make(folder: Path) -> None:
            parquet.write(folder / PREDICTIONS, predicted())

        if reads:  # a header of each file, where the key of a cached result takes all its bytes
            with _owned(self._member):
                return predicted()
        folder = self._cached("predictions", [prepared.key, image_key(images)], make)
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

        parts = [changed_member(self._member, change).part for change in changes]
        options = [part.options for part in parts]

        def make(folder: Path) -> None:
            batches = self._ready(prepared).predict_variants(images, options)
            with naming(self._predictor, "predict_variants"):
                rows = collect_variants(batches, images.ids, self._text_encoder.dim)
            save_file({"rows": rows}, folder / VARIANTS)

        keys = [part.keyed()["options"] for part in parts]
        folder = self._cached("variants", [prepared.key, image_key(images), keys], make)
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

        folder = self._cached("own", [prepared.key, image_key(images)], make)
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
        made = self._made
        options = without_free(self._member.part.options, made.options)
        return {
            "part": {"plugin": made.plugin, "options": options},
            "plugin": [made.distribution, made.version],
            "source": made.source,
            "identity": made.identity,
            "precision": self._context.runtime.precision,
        }

    @cached_property
    def _claim(self) -> Claim:
        return self._context.registry.claim(self._member.part.plugin)

    @cached_property
    def _made(self) -> ArtifactFile:
        """What an artifact of this member says of itself."""
        part, registry = self._member.part, self._context.registry
        source = registry.source_hash(part.plugin)
        identity, encoder = self._predictor.identity(), self._text_encoder.identity
        return made_now(part, self._claim, identity, encoder, source)

    def _learn(self, train: TrainSet) -> tuple[Path, bool]:
        """The artifact in the cache, and whether it was made now.

        Once it is made, checkpoints of its training are done with.
        """
        made: list[Path] = []

        def make(folder: Path) -> None:
            self._make(train, folder)
            made.append(folder)

        artifact = self._context.cache.folder("artifacts", [self._key, train_key(train)], make)
        if made and train.work is not None:
            with suppress(OutputError):  # another process trains there by now
                forget(train.work)
        return artifact, bool(made)

    def _make(self, train: TrainSet, folder: Path) -> None:
        self._predictor.prepare(train, folder)
        with naming(self._predictor, "prepare"):
            check_made(folder)
        seal(folder, self._made)

    @cached_property
    def _given_artifact(self) -> Path | None:
        """The artifact in the ensemble's YAML, if there is one.

        Raises:
            DataError: It does not exist, is of another plugin, tower or text encoder, was prepared
                with options that need another, or a file of it is not as its run wrote it.
        """
        artifact = self._member.artifact
        if artifact is None:
            return None
        if not paths.is_folder(artifact):
            raise DataError(f"no artifact folder {paths.shown(artifact)}")
        if artifact.parent.name == ARTIFACTS:  # of a run, which knows what it wrote
            check_part(artifact.parent.parent, f"{ARTIFACTS}/{artifact.name}")
        check_artifact(artifact, self._made, self._member.part, self._claim, self._predictor)
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
    return replace(member, part=replace(part, options=options))


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
