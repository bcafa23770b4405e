"""From images to their neighbours: towers, bank, and all that options do on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unprompt import DataError, Images, Need, Runtime, TextEncoder, TrainSet
from unprompt.artifacts import read_tensors
from unprompt.bank import Bank, BankCounts, BankOnDisk, PromptBank, cached_keys, read_bank
from unprompt.towers import ClipBackbone, ClipQueries, ClipTowers
from unprompt_knn.captions import Captions, CaptionWriter
from unprompt_knn.centre import Centre, centred
from unprompt_knn.kernel import DoubleArray, FloatArray, Numbers
from unprompt_knn.near import Mask, Near
from unprompt_knn.options import KnnOptions
from unprompt_knn.own import OwnPrompts, own_prompts
from unprompt_knn.queries import CaptionQueries
from unprompt_knn.second import SecondBackbone

OWNER = "kNN backbone"
COUNTS = "counts.safetensors"


@dataclass(frozen=True, eq=False, slots=True)
class Seen:
    """What is known of n images before the bank is searched.

    Attributes:
        ids: The images.
        features: CLIP's embeddings of them, as the tower gives them, of shape (n, C).
        queries: The same, without their mean where the bank's keys are, too.
        captions: What is written of them; None: nothing is.
        second: The second backbone's embeddings of them; None: there is none.
        own: Their own prompts, folded, where they are to be left out.
    """

    ids: tuple[str, ...]
    features: FloatArray
    queries: FloatArray
    captions: Captions | None
    second: FloatArray | None
    own: Sequence[frozenset[str]]


class Retrieval:
    """A bank with the towers that search it."""

    bank: Bank
    counts: BankCounts | DoubleArray

    def __init__(self, options: KnnOptions, runtime: Runtime) -> None:
        """Store both; towers are loaded when they are first used."""
        self._options, self._runtime = options, runtime
        self._backbone = ClipBackbone(options.backbone, options.views, runtime, OWNER)
        self.centre: Centre | None = None
        self._own: OwnPrompts | None = None
        captions, rerank = options.queries, options.rerank
        self._writer = (
            CaptionWriter(captions, runtime) if isinstance(captions, CaptionQueries) else None
        )
        self._second = SecondBackbone(rerank, options.views, runtime) if rerank else None

    @property
    def clip(self) -> ClipTowers:
        """Both CLIP towers."""
        return self._backbone.clip

    @property
    def queries(self) -> ClipQueries:
        """CLIP's embeddings of images."""
        return self._backbone.queries

    def embed(self, train: TrainSet) -> None:
        """Embed the bank's prompts.

        Raises:
            DataError: There are none.
        """
        self.bank, self.counts = self._embedded(train)
        if self._second:
            self._second.embed(self.bank.prompts)

    def learn(self, train: TrainSet, sample: Images | None, artifact: Path) -> None:
        """Write what was embedded, with all that is measured of images.

        Args:
            train: The train split.
            sample: Those of its images that means are measured on; needed with `center`.
            artifact: The folder to write into.
        """
        from safetensors.numpy import save_file

        if self._options.center and sample is not None:
            rows = [part.rows for part in self.queries.embeddings(sample, what="measure the mean")]
            raw = self.bank
            assert isinstance(raw, PromptBank)  # see _embedded
            self.bank = centred(raw)
            self.centre = Centre.of(np.concatenate(rows), raw)
            self.centre.save(artifact)
            if self._second:
                self._second.center(sample)
        if self._second:
            self._second.save(artifact)
        if self._options.exclude_exact:
            self._own = OwnPrompts.known(train)
            self._own.save(artifact)
        self.bank.save(artifact)
        if not isinstance(self.bank, BankOnDisk):
            counts = self.counts[np.arange(len(self.bank))]
            save_file({"counts": counts}, artifact / COUNTS)

    def read(self, artifact: Path, encoder: TextEncoder | None) -> None:
        """Read what `learn` wrote.

        Raises:
            DataError: A file of the artifact is damaged, or of another tower or encoder.
        """
        if self._options.center:  # all keys have been changed
            self.bank = PromptBank.read(artifact)
        else:
            bank = self._options.bank
            self.bank = read_bank(artifact, bank, self._identity(), encoder, self._runtime)
        dim = encoder.dim if encoder is not None else None
        self.bank.check(artifact, target_dim=dim, key_dim=self.clip.dim)
        if isinstance(self.bank, BankOnDisk):
            self.counts = self.bank.counts
        else:
            self.counts = self._read_counts(artifact / COUNTS)
        if isinstance(self.bank, PromptBank) and self._options.center:
            self.centre = Centre.read(artifact, self.bank)
        if self._second:
            self._second.read(artifact, self.bank, centred=self._options.center)
        if self._options.exclude_exact:
            self._own = OwnPrompts.read(artifact)

    def _read_counts(self, path: Path) -> DoubleArray:
        """Artifacts of earlier versions have none, and no member that needs them."""
        if not self._options.count_power and not path.is_file():
            return np.ones(len(self.bank))
        counts = read_tensors(path, {"counts": (len(self.bank),)})["counts"].astype(np.float64)
        if not (counts > 0).all():
            raise DataError(f"{path}: holds a count that is not above 0")
        return counts

    def seen(self, images: Images, *, what: str) -> Iterator[Seen]:
        """What towers make of N images, in batches; captions of all are written first."""
        if self._writer and len(images):
            self._writer.write(images)
        both = self._second.seen(images, what=what) if self._second else _nothing()
        with closing(both) as second:
            for ids, features in self.queries.batches(images, what=what):
                queries = features if self.centre is None else self.centre.moved(features)
                captions = self._writer.of(images, ids, self.clip) if self._writer else None
                if captions is not None and self.centre is not None:
                    captions = captions.without(self.centre.keys)
                own = self._own.own(images, ids) if self._own else ()
                yield Seen(ids, features, queries, captions, next(second), own)

    def search(self, seen: Seen, candidates: int) -> Search:
        """The neighbours of a batch, of which at most ``candidates`` are wanted."""
        return Search(self, self._second, seen, candidates)

    def _identity(self) -> Mapping[str, Any]:
        return ClipTowers.identity(self._options.backbone, self._runtime, OWNER)

    def _embedded(self, train: TrainSet) -> tuple[Bank, BankCounts | DoubleArray]:
        """The bank's prompts, and how often each occurs in their source; each is embedded once."""
        backbone = self._identity()
        held = self._options.bank.on_disk(backbone, train.text_encoder, self._runtime)
        if held is not None and self._options.center:
            return held.in_memory(), held.counts
        if held is not None:
            return held, held.counts
        every = self._options.bank.model_copy(update={"duplicates": True})
        occurring = every.texts(train, self._runtime)
        times = Counter(occurring)
        once = list(times)
        targets = train.text_encoder.encode(once)
        keys = cached_keys(once, self.clip.texts, backbone, self._runtime)
        if not self._options.bank.duplicates:
            counts = np.array([float(times[text]) for text in once])
            return PromptBank.of(once, targets, keys), counts
        numbers = {text: number for number, text in enumerate(once)}
        rows = [numbers[text] for text in occurring]
        return PromptBank.of(occurring, targets[rows], keys[rows]), np.ones(len(rows))


class Search:
    """The neighbours of a batch under any options: each query is searched for once."""

    def __init__(
        self, retrieval: Retrieval, second: SecondBackbone | None, seen: Seen, candidates: int
    ) -> None:
        """Nothing is searched for yet."""
        self._retrieval, self._second, self._seen = retrieval, second, seen
        self._candidates = candidates
        self._searches: dict[float, tuple[FloatArray, Near, Numbers]] = {}

    def near(self, options: KnnOptions, drop: Callable[[Near], Mask] | None = None) -> Near:
        """The `neighbours` of each image, nearest first.

        Args:
            options: The member's, or a variant of them.
            drop: Which of the bank's neighbours (n, K) are left out beside the image's own prompt;
                the same in every call.
        """
        asked = options.queries if isinstance(options.queries, CaptionQueries) else None
        queries, near, used = self._searched(asked.part if asked else 0.0, drop)
        near = near.first(options.candidates)
        if asked and asked.join and self._seen.captions is not None:
            near = self._seen.captions.join(near, queries)
        if self._second and options.rerank and self._seen.second is not None:
            near = self._second.rescored(near, used, queries, self._seen.second, options.rerank)
        return near.first(options.neighbours)

    def _searched(
        self, part: float, drop: Callable[[Near], Mask] | None
    ) -> tuple[FloatArray, Near, Numbers]:
        """Queries with a part of captions, the bank's rows next to them, and the rows' numbers."""
        if part not in self._searches:
            seen, bank = self._seen, self._retrieval.bank
            queries = seen.captions.mixed(seen.queries, part) if seen.captions else seen.queries
            # Twice as many, so that enough remain where half of them are left out.
            spare = 2 if drop or any(seen.own) else 1
            cosines, rows = bank.search_keys(queries, spare * self._candidates)
            near, used = Near.of(bank, self._retrieval.counts, cosines, rows)
            if drop:
                near = near.without(drop(near))
            if any(seen.own):
                near = near.without(own_prompts(near, seen.own))
            self._searches[part] = queries, near, used
        return self._searches[part]


def _nothing() -> Generator[FloatArray | None]:
    """What is seen without a second backbone."""
    while True:
        yield None


def identity(options: KnnOptions, runtime: Runtime) -> Mapping[str, Any]:
    """The content of towers, captioner and bank table."""
    tower = ClipTowers.identity(options.backbone, runtime, OWNER)
    more: dict[str, Any] = {}
    if options.rerank:
        more["rerank"] = SecondBackbone.identity(options.rerank, runtime)
    if isinstance(options.queries, CaptionQueries):
        more["captions"] = CaptionWriter.identity(options.queries, runtime)
    return {**tower, **options.bank.identity(runtime), **more}


def needs(options: KnnOptions) -> list[Need]:
    """Files of towers, captioner and bank table."""
    captions = options.queries
    return [
        *ClipTowers.needs(options.backbone),
        *options.bank.needs(),
        *(SecondBackbone.needs(options.rerank) if options.rerank else ()),
        *(CaptionWriter.needs(captions) if isinstance(captions, CaptionQueries) else ()),
    ]


def towers(options: KnnOptions) -> dict[str, int]:
    """Each CLIP's image and text towers together, and the captioner."""
    counts = {"CLIP": ClipTowers.parameters(options.backbone, OWNER)}
    if options.rerank:
        counts |= SecondBackbone.towers(options.rerank)
    if isinstance(options.queries, CaptionQueries):
        counts |= CaptionWriter.towers(options.queries)
    return counts
