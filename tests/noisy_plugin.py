"""A plugin for tests: a dataset whose images hold their prompt's embedding, and who reads it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import Field

from unprompt import (
    Batch,
    Dataset,
    DatasetSpec,
    Embeddings,
    Evidence,
    Images,
    Model,
    Predictor,
    PredictorSpec,
    Record,
    Runtime,
    TextEncoderSpec,
    TrainSet,
    hookimpl,
    unit,
)
from unprompt.testing import HashedWords

STEPS = 4
LEARNED = {"train": 30, "holdout": 60}


class DatasetOptions(Model):
    """The test split, and whether an oracle is known."""

    test: int = Field(description="Test images; two by two they are a group.")
    wordings: bool = Field(description="Whether other wordings of a prompt are known.")
    prompts: dict[str, str] = Field(description="Image -> prompt, where it is not the usual one.")
    suffix: str = Field(description="Behind the number in every image id.")
    subsets: list[str] = Field(
        default=[], description="Subsets that groups are in by turns; an empty text: in none."
    )


class MemberOptions(Model):
    """How badly a member sees."""

    noise: float = Field(ge=0, description="Standard deviation in each dimension.")
    seed: int = Field(description="Of the noise.")
    scores: tuple[float, ...] = Field(
        default=(0.5, 0.7, 0.65), strict=False, description="On validation, epoch by epoch."
    )


class EncoderOptions(Model):
    """There is nothing to choose."""


@dataclass(frozen=True)
class Drawn:
    """Images that hold their prompt's embedding: each of 8 x 4 fields is as bright as a number."""

    prompts: Mapping[str, str]

    def open(self, image_id: str) -> Image.Image:
        """16 x 16 pixels, grey."""
        row = HashedWords().encode([self.prompts[image_id]])[0]
        grey = np.rint((row + 1) * 127.5).astype(np.uint8).reshape(4, 8)
        return Image.fromarray(grey).resize((16, 16), Image.Resampling.NEAREST).convert("RGB")

    def digest(self, image_id: str) -> str:
        """Of the prompt, which decides every pixel."""
        return hashlib.sha256(self.prompts[image_id].encode()).hexdigest()


class NoisyDataset(Dataset):
    """Numbered prompts; the splits are the dataset's own."""

    def __init__(self, options: DatasetOptions) -> None:
        self.options = options
        self.rows = [
            Record(
                image_id=f"{split}-{i}{options.suffix}",
                prompt_id=f"{split}-{i}",
                prompt=options.prompts.get(f"{split}-{i}", f"{split} number {i}"),
                group=f"{split}-{i // 2}",
                split=split,
                subset=options.subsets[i // 2 % len(options.subsets)] or None
                if options.subsets
                else None,
            )
            for split, count in (LEARNED | {"test": options.test}).items()
            for i in range(count)
        ]

    def records(self) -> tuple[Record, ...]:
        return tuple(self.rows)

    def images(self) -> Images:
        prompts = {row.image_id: row.prompt for row in self.rows}
        return Images(tuple(prompts), Drawn(prompts))

    def wordings(self, image_ids: Sequence[str], count: int) -> Mapping[str, Sequence[str]] | None:
        if not self.options.wordings:
            return None
        prompts = {row.image_id: row.prompt for row in self.rows}
        return {
            name: [f"{prompts[name]} {prompts[name]} wording-{i}-{name}" for i in range(count)]
            for name in image_ids
        }


class NoisyMember(Predictor):
    """Reads an image's embedding through noise; the nearest train prompts are its evidence."""

    options: MemberOptions

    def prepare(self, train: TrainSet, artifact: Path) -> None:
        np.save(artifact / "rows.npy", train.targets.rows, allow_pickle=False)
        prompts = [record.prompt for record in train.records]
        (artifact / "prompts.json").write_text(json.dumps(prompts))
        if self.scores:
            (artifact / "training").mkdir()
            lines = [json.dumps(line) + "\n" for line in self._train(train)]
            (artifact / "training" / "metrics.jsonl").write_text("".join(lines))
            (artifact / "training" / "README.md").write_text("# A card\n")

    @property
    def scores(self) -> tuple[float, ...]:
        """Of its validation; a plugin that derives from this one may have other options."""
        scores: tuple[float, ...] = getattr(self.options, "scores", ())
        return scores

    def _train(self, train: TrainSet) -> Iterator[dict[str, float]]:
        """Four steps an epoch."""
        for step in range(1, STEPS * len(self.scores) + 1):
            values = {"epoch": step / STEPS, "seconds": step / 2, "loss": 1 - step / 20}
            if step % STEPS == 0:
                values["validation cosine"] = self.scores[step // STEPS - 1]
            train.metrics(step, values)
            yield {"step": step, **values}

    def check_prepared(self, prepared: MemberOptions) -> None:
        """Any: noise is of `predict` alone."""

    def load(self, artifact: Path) -> None:
        self.bank = np.load(artifact / "rows.npy", allow_pickle=False)
        self.prompts = json.loads((artifact / "prompts.json").read_text())

    def predict(self, images: Images) -> Iterator[Batch]:
        for name in images.ids:
            small = images.open(name).convert("L").resize((8, 4), Image.Resampling.NEAREST)
            held = np.asarray(small, np.float64).reshape(1, 32) / 127.5 - 1
            rng = np.random.default_rng([self.options.seed, int(images.digest(name)[:8], 16)])
            row = unit(held + self.options.noise * rng.normal(size=held.shape))
            cosines = self.bank @ row[0]
            near = [self.prompts[i] for i in np.argsort(-cosines)[:2]]
            evidence = (
                Evidence(near[0], 0.61, "neighbour"),
                Evidence(near[1], 0.39, "neighbour"),
                Evidence("oil painting", 0.27, "phrase"),
            )
            yield Batch(Embeddings((name,), row), (near[0],), (evidence,))


class NoisyEncoder(HashedWords):
    """Each word a fixed random direction."""

    def __init__(self, options: EncoderOptions, runtime: Runtime) -> None:
        pass


@hookimpl
def unprompt_dataset() -> DatasetSpec:
    target = f"{__name__}:NoisyDataset"
    return DatasetSpec("noisy", "images that hold embeddings", DatasetOptions, target)


@hookimpl
def unprompt_predictor() -> PredictorSpec:
    target = f"{__name__}:NoisyMember"
    return PredictorSpec("noisy", "reads them through noise", MemberOptions, target)


@hookimpl
def unprompt_text_encoder() -> TextEncoderSpec:
    target = f"{__name__}:NoisyEncoder"
    return TextEncoderSpec("noisy", "hashed words", EncoderOptions, target)
