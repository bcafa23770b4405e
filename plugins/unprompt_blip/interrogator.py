"""The interrogator: images -> captions and phrases -> text -> embeddings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from unprompt import Batch, DataError, Embeddings, Images, Need, Predictor, Runtime, TrainSet
from unprompt.towers import ClipBackbone, ClipQueries, ClipTowers
from unprompt_blip.captioner import Captioner
from unprompt_blip.modes import Writer
from unprompt_blip.options import InterrogatorOptions
from unprompt_blip.phrases import Phrases
from unprompt_blip.samples import Samples
from unprompt_blip.tables import read_tables, table_needs

OWNER = "interrogator backbone"
DRY_RUN = 8
"""Phrases of each table in a dry run: 111,867 would keep a ViT-H busy for hours on a CPU."""


class Interrogator(Predictor):
    """A caption, and the phrases nearest to the image by CLIP; their text's embedding.

    The captions of a call's images are written first, then CLIP sees the images.

    Evidence is of kind ``phrase``: the caption and phrases, each with the cosine of its own CLIP
    text embedding with the image's CLIP embedding (-1..1).

    Source: the CLIP+BLIP member of the 68th-place solution, plugins/kaggle-68th.md, and the modes
    of clip-interrogator.
    """

    options: InterrogatorOptions

    def __init__(self, options: InterrogatorOptions, runtime: Runtime) -> None:
        """Store both."""
        super().__init__(options, runtime)
        self._phrases: Phrases | None = None
        self._artifact: Path | None = None
        self._backbone = ClipBackbone(options.backbone, options.views, runtime, OWNER)
        self._captioner: Captioner | None = None

    def identity(self) -> Mapping[str, Any]:
        """The content of towers, captioner and tables."""
        tables = json.dumps(self._tables(), ensure_ascii=False)
        captioner = self.options.used_captioner
        return {
            "backbone": ClipTowers.identity(self.options.backbone, self.runtime, OWNER),
            "captioner": captioner and Captioner.identity(captioner, self.runtime),
            "tables": hashlib.sha256(tables.encode()).hexdigest(),
        }

    def needs(self) -> Sequence[Need]:
        """Files of towers, captioner and tables."""
        captioner = self.options.used_captioner
        return [
            *ClipTowers.needs(self.options.backbone),
            *table_needs(self.options),
            *(Captioner.needs(captioner) if captioner else ()),
        ]

    def towers(self) -> Mapping[str, int]:
        """CLIP, and the captioner where there is one."""
        towers = {"CLIP": ClipTowers.parameters(self.options.backbone, OWNER)}
        if self.options.used_captioner:
            towers["captioner"] = Captioner.parameters(self.options.used_captioner)
        return towers

    def prepare(self, train: TrainSet, artifact: Path) -> None:
        """Embed the phrases; the train split is not looked at.

        Raises:
            MissingFileError: A table, or a file of CLIP, is not there.
            DataError: No phrase is left.
        """
        tables = self._tables()
        Phrases.of(tables, self.clip, self.runtime).save(artifact)

    def load(self, artifact: Path) -> None:
        """Read the phrases; models are loaded when `predict` first uses them."""
        self._phrases = Phrases.read(artifact)
        self._artifact = artifact

    def check_prepared(self, prepared: InterrogatorOptions) -> None:
        """Take any: the artifact holds the phrases, which the identity covers."""
        return

    def predict(self, images: Images) -> Iterator[Batch]:
        """Unit rows, the texts behind them, and the phrases with their cosines.

        Raises:
            DataError: The runtime has no text encoder.
        """
        if len(images):
            yield from self.interrogate(images, *self._captions(images))

    def interrogate(
        self,
        images: Images,
        captions: Mapping[str, str],
        samples: Mapping[str, Sequence[str]] | None = None,
    ) -> Iterator[Batch]:
        """`predict` for images whose captions are known.

        Args:
            images: N images.
            captions: By id; an image may have none.
            samples: Several captions, by id, where an image has such; see `Samples`.

        Raises:
            DataError: The runtime has no text encoder, or the artifact is of another CLIP.
        """
        encoder = self.runtime.text_encoder
        if encoder is None:
            raise DataError("the interrogator needs a text encoder, and the runtime has none")
        phrases, clip = self._phrases, self.clip
        assert phrases is not None and self._artifact is not None  # load() comes first, by contract
        phrases.check(self._artifact, clip.dim)
        writer = Writer(self.options, phrases, clip, self.runtime.device)
        for ids, rows in self.queries.batches(images, what="interrogate"):
            several = Samples.of([(samples or {}).get(name, ()) for name in ids], encoder)
            own = [captions.get(name, "") for name in ids]
            written = writer.write(rows, several.captions or own)
            texts = tuple(item.text for item in written)
            evidence = tuple(item.evidence for item in written)
            embeddings = Embeddings(ids, several.joined(encoder.encode(texts)))
            yield Batch(embeddings, texts, evidence, Embeddings(ids, rows))

    def own_embeddings(self, images: Images) -> Iterator[Embeddings]:
        """CLIP's embeddings of the images, where they are as wide as the target space."""
        encoder = self.runtime.text_encoder
        if encoder is not None and self.clip.dim == encoder.dim:
            yield from self.queries.embeddings(images, what="interrogate")

    def close(self) -> None:
        """Drop towers and phrases."""
        self._backbone.close()
        self._captioner = self._phrases = None

    def _tables(self) -> dict[str, tuple[str, ...]]:
        """The tables; in a dry run a few phrases of each, our own where others are not here."""
        if not self.runtime.dry_run:
            return read_tables(self.options)
        here = all(need.here for need in table_needs(self.options))
        options = self.options if here else InterrogatorOptions(backbone=self.options.backbone)
        return {name: lines[:DRY_RUN] for name, lines in read_tables(options).items()}

    def _captions(self, images: Images) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
        """A caption for each image, or several; none where the text does not use one."""
        config = self.options.used_captioner
        if config is None:
            return {}, {}
        if self._captioner is None:
            self._captioner = Captioner(config, self.runtime)
        if self.options.samples:
            return {}, self._captioner.samples(images, self.options.samples)
        return self._captioner.captions(images), {}

    @property
    def clip(self) -> ClipTowers:
        """Both CLIP towers."""
        return self._backbone.clip

    @property
    def queries(self) -> ClipQueries:
        """CLIP's embeddings of images."""
        return self._backbone.queries
