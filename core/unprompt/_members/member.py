"""Members' predictions, each computed once for each content of pictures, options and weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from unprompt._data.formats import parquet
from unprompt._files.cache import Cache
from unprompt._files.hashing import content_hash, folder_hash
from unprompt._members.text_encoder import CachedTextEncoder
from unprompt._registry.loading import Ensemble, Member, Part
from unprompt._registry.plugins import Registry
from unprompt._scoring.blend import blend
from unprompt.contracts import Batch, Evidence, Images, Predictor, Runtime, TextEncoder, TrainSet
from unprompt.embeddings import Embeddings
from unprompt.errors import DataError, PluginError, UnpromptError, named
from unprompt.types import FloatArray, Json

FILE = "predictions.parquet"


@dataclass(frozen=True, slots=True)
class Workshop:
    """What predicting needs besides a member and pictures.

    Attributes:
        registry: Builds predictors.
        runtime: Device, precision and so on.
        cache: Keeps artifacts and predictions.
    """

    registry: Registry
    runtime: Runtime
    cache: Cache

    def text_encoder(self, part: Part) -> TextEncoder:
        """The text encoder that ``part`` describes, its results cached."""
        encoder = self.registry.build(part.spec, part.options, self.runtime)
        return CachedTextEncoder(encoder, self.cache)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A member with its artifact.

    Attributes:
        member: The line of the ensemble.
        artifact: The folder of what it learned.
        key: Everything but the pictures that its predictions depend on.
        text_encoder: The space that it should predict in.
    """

    member: Member
    artifact: Path
    key: Json
    text_encoder: TextEncoder


def prepare(member: Member, train: TrainSet, shop: Workshop) -> Prepared:
    """Let a member learn, unless it has done so before from the same content.

    Args:
        member: The line of the ensemble; one that names its artifact learns nothing.
        train: The train split; may be empty.
        shop: Registry, runtime and cache.

    Raises:
        UnpromptError: Of the family, with the member's name in front.
    """
    encoder = train.text_encoder
    with owned(member), closing(build(member, shop, encoder)) as predictor:
        key = _member_key(member, predictor, shop)
        if member.artifact is not None:
            if not member.artifact.is_dir():
                raise DataError(f"no artifact folder {member.artifact}")
            artifact = member.artifact
        else:
            artifact = shop.cache.folder(
                "artifacts",
                [key, _train_key(train)],
                lambda folder: predictor.prepare(train, folder),
            )
    return Prepared(member, artifact, [key, folder_hash(artifact), encoder.identity], encoder)


def predict(prepared: Prepared, images: Images, shop: Workshop) -> Batch:
    """One member's predictions, from the cache where they are known.

    Returns:
        All N pictures in the order of ``images.ids``.

    Raises:
        UnpromptError: Of the family, with the member's name in front.
        PluginError: The family left a picture out, invented or repeated one, or predicted in
            another space.
    """
    member = prepared.member

    def make(folder: Path) -> None:
        with closing(build(member, shop, prepared.text_encoder)) as predictor:
            predictor.load(prepared.artifact)
            batch = collect(predictor.predict(images), images.ids, prepared.text_encoder.dim)
        parquet.write(folder / FILE, batch)

    with owned(member):
        pictures = [(name, images.digest(name)) for name in images.ids]
        folder = shop.cache.folder("predictions", [prepared.key, pictures], make)
        return parquet.read_batch(folder / FILE)


def collect(batches: Iterable[Batch], ids: Sequence[str], dim: int) -> Batch:
    """A stream of batches as one, in the order of ``ids``.

    Raises:
        PluginError: The batches do not hold exactly these pictures, each once, or their rows are
            not ``dim`` wide.
    """
    parts = list(batches)
    got = [name for part in parts for name in part.embeddings.ids]
    missing, extra = sorted(set(ids) - set(got)), sorted(set(got) - set(ids))
    repeated = sorted(name for name, times in Counter(got).items() if times > 1)
    lists = {"missing": missing, "unexpected": extra, "repeated": repeated}
    wrong = [f"{what} {named(names)}" for what, names in lists.items() if names]
    if wrong:
        raise PluginError(f"did not predict each picture once: {'; '.join(wrong)}")
    for part in parts:
        if part.embeddings.dim != dim:
            raise PluginError(f"predicted rows of {part.embeddings.dim} numbers, not of {dim}")
    place = {name: i for i, name in enumerate(got)}
    order = [place[name] for name in ids]
    rows: list[FloatArray] = [part.embeddings.rows for part in parts]
    stacked = np.concatenate(rows)[order] if rows else np.empty((0, dim), np.float32)
    prompts = [prompt for part in parts for prompt in part.prompts]
    evidence = [line for part in parts for line in part.evidence]
    return Batch(
        Embeddings(tuple(ids), stacked),
        tuple(prompts[i] for i in order),
        tuple(evidence[i] for i in order),
    )


def predict_ensemble(
    ensemble: Ensemble, images: Images, train: TrainSet, shop: Workshop, *, words: bool
) -> Batch:
    """The blend's predictions for new pictures.

    Args:
        ensemble: Members with their weights; those of weight 0 are not run.
        images: N pictures.
        train: What members without an artifact may learn from.
        shop: Registry, runtime and cache.
        words: Whether to look for prompts, which costs text encoding.
    """
    members = [member for member in ensemble.members if member.weight > 0]
    prepared = [prepare(member, train, shop) for member in members]  # all before any picture
    batches = [predict(one, images, shop) for one in prepared]
    weights = [member.weight for member in members]
    return combine(batches, weights, train.text_encoder if words else None)


def combine(
    batches: Sequence[Batch], weights: Sequence[float], encoder: TextEncoder | None
) -> Batch:
    """Members' predictions for the same pictures as one.

    Args:
        batches: One per member, pictures in the same order.
        weights: Of the blend; a member of weight 0 gives no evidence.
        encoder: The target space, to choose prompts in; None: no prompts.

    Returns:
        The blended rows; each picture's evidence, member by member; and of all its texts the one
        whose embedding is nearest to the blend.
    """
    blended = blend([batch.embeddings for batch in batches], weights)
    used = [batch for batch, weight in zip(batches, weights, strict=True) if weight > 0]
    evidence: list[tuple[Evidence, ...]] = []
    texts: list[list[str]] = []
    for i in range(len(blended)):
        evidence.append(tuple(piece for batch in used for piece in batch.evidence[i]))
        own = [prompt for batch in used if (prompt := batch.prompts[i])]
        texts.append(list(dict.fromkeys(own + [piece.text for piece in evidence[-1]])))
    none: tuple[str | None, ...] = (None,) * len(blended)
    prompts = nearest_texts(blended.rows, texts, encoder) if encoder else none
    return Batch(blended, prompts, tuple(evidence))


def nearest_texts(
    rows: FloatArray, candidates: Sequence[Sequence[str]], encoder: TextEncoder
) -> tuple[str | None, ...]:
    """For each row the candidate whose embedding is nearest; None where there is none.

    Args:
        rows: Unit rows of shape (N, D).
        candidates: N lists of texts.
        encoder: The target space.
    """
    flat = [text for texts in candidates for text in texts]
    encoded = encoder.encode(flat)
    found: list[str | None] = []
    start = 0
    for row, texts in zip(rows, candidates, strict=True):
        cosines = encoded[start : start + len(texts)] @ row
        found.append(texts[int(cosines.argmax())] if texts else None)
        start += len(texts)
    return tuple(found)


def build(member: Member, shop: Workshop, encoder: TextEncoder) -> Predictor:
    """A member's predictor, not loaded."""
    runtime = replace(shop.runtime, text_encoder=encoder)
    predictor: Predictor = shop.registry.build(member.part.spec, member.part.options, runtime)
    return predictor


def _member_key(member: Member, predictor: Predictor, shop: Workshop) -> Json:
    claim = shop.registry.claim(member.part.plugin)
    return {
        "part": member.part.plain(),
        "plugin": [claim.distribution, claim.version],
        "source": shop.registry.source_hash(member.part.plugin),
        "identity": dict(predictor.identity()),
        "precision": shop.runtime.precision,
    }


def _train_key(train: TrainSet) -> Json:
    rows = [(r.image_id, train.images.digest(r.image_id), r.prompt) for r in train.records]
    return [train.text_encoder.identity, content_hash(rows)]


@contextmanager
def owned(member: Member) -> Iterator[None]:
    """Put the names of member and plugin in front of what its family complains about."""
    owner = f"member {member.name!r}"
    if member.name != member.part.plugin:
        owner += f" (plugin {member.part.plugin!r})"
    try:
        yield
    except UnpromptError as error:
        lines = [f"{owner}: {line}" for line in error.problems]
        raise type(error)(lines) from error
