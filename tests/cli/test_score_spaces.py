"""Predictions are scored in the space that they were predicted for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

import unprompt as package
from unprompt import DataError, cosine
from unprompt._data.predictions import read_prediction_file, read_predictions
from unprompt.testing import HashedWords
from unprompt.types import FloatArray

Command = Callable[..., CompletedProcess[str]]

SPACES = '''
import numpy as np
from pydantic import Field

from unprompt import (
    Batch, Embeddings, Model, Predictor, PredictorSpec, TextEncoder, TextEncoderSpec, hookimpl, unit
)


class Options(Model):
    dim: int = Field(default=256, description="D.")
    seed: int = Field(default=1, description="Of the directions.")


class Seeded(TextEncoder):
    """A direction of its own for each text: (D,) normal numbers, seeded with its bytes."""

    def __init__(self, options, runtime):
        self.options = options

    @property
    def identity(self):
        return f"seeded {self.options.seed}, D = {self.options.dim}"

    @property
    def dim(self):
        return self.options.dim

    def encode(self, texts):
        rows = [
            np.random.default_rng([self.options.seed, *text.encode()]).normal(size=self.dim)
            for text in texts
        ]
        return unit(np.array(rows, np.float32).reshape(-1, self.dim))


class Nothing(Model):
    pass


class Named(Predictor):
    """An image's id is its prompt."""

    def prepare(self, train, artifact):
        pass

    def load(self, artifact):
        pass

    def predict(self, images):
        rows = self.runtime.text_encoder.encode(images.ids)
        n = len(images.ids)
        yield Batch(Embeddings(images.ids, rows), (None,) * n, ((),) * n)


@hookimpl
def unprompt_text_encoder():
    return TextEncoderSpec("seeded", "a direction for each text", Options, f"{__name__}:Seeded")


@hookimpl
def unprompt_predictor():
    return PredictorSpec("seeded", "reads the name", Nothing, f"{__name__}:Named")
'''
PROMPTS = ("a red cat", "snow", "two hills", "a lamp")


@pytest.fixture(autouse=True)
def _plugin(install_plugin: Callable[..., Path]) -> None:
    install_plugin("seeded", SPACES)


@pytest.fixture
def ensemble(tmp_path: Path) -> Callable[..., Path]:
    """``ensemble(dim=..., seed=...)``: the YAML of an ensemble that predicts in that space."""

    def write(**options: int) -> Path:
        path = tmp_path / f"ensemble-{'-'.join(map(str, options.values()))}.yaml"
        encoder = {"plugin": "seeded", "options": options}
        content = {"text_encoder": encoder, "members": [{"plugin": "seeded"}]}
        path.write_text(yaml.safe_dump(content))
        return path

    return write


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.jsonl"
    lines = [json.dumps({"image_id": text, "prompt": text}) for text in PROMPTS]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def predicted(unprompt: Command, ensemble: Callable[..., Path], tmp_path: Path) -> Command:
    """``predicted("x.jsonl", dim=256, seed=1)``: a file of predictions, every one of them right."""
    folder = tmp_path / "images"
    folder.mkdir()
    for text in PROMPTS:
        Image.new("RGB", (8, 8)).save(folder / f"{text}.png")

    def predict(name: str, **options: int) -> Path:
        done = unprompt("predict", ensemble(**options), folder, "-o", tmp_path / name)
        assert done.returncode == 0, done.stderr
        return tmp_path / name

    return predict  # type: ignore[return-value]  # the fixture's own signature


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize("dim", [256, 384])
def test_score_asks_the_encoder_that_the_file_names(
    unprompt: Command, predicted: Callable[..., Path], prompts: Path, suffix: str, dim: int
) -> None:
    path = predicted(f"x.{suffix}", dim=dim, seed=3)
    done = unprompt("score", path, prompts)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1.000000 ")
    assert "text encoder" not in done.stderr
    space = read_prediction_file(path).space
    assert space is not None
    assert (space.plugin, space.options) == ("seeded", {"dim": dim, "seed": 3})
    result = package.score(path, prompts)
    assert (result.text_encoder, result.assumed) == (f"seeded 3, D = {dim}", None)


@pytest.mark.parametrize("suffix", ["csv", "npy"])
def test_a_file_that_names_none_needs_the_ensemble(
    unprompt: Command,
    predicted: Callable[..., Path],
    ensemble: Callable[..., Path],
    prompts: Path,
    suffix: str,
) -> None:
    narrow = predicted(f"x.{suffix}", dim=256, seed=3)
    done = unprompt("score", narrow, prompts)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"{narrow}: 256 numbers per image, minilm has 384: name the ensemble that predicted them "
        "(--ensemble)\n"
    )
    done = unprompt("score", narrow, prompts, "--ensemble", ensemble(dim=256, seed=3))
    assert done.stdout.startswith("1.000000 ")

    wide = predicted(f"y.{suffix}", dim=384, seed=3)
    done = unprompt("score", wide, prompts)  # nobody can know: it is said
    assert done.returncode == 0
    assert abs(float(done.stdout.split()[0])) < 0.2
    assert done.stderr.startswith(
        f"note: {wide} does not say which text encoder it was predicted for: minilm is assumed; "
        "--ensemble names another"
    )


def test_rows_of_another_encoder_are_refused(
    unprompt: Command,
    predicted: Callable[..., Path],
    ensemble: Callable[..., Path],
    prompts: Path,
) -> None:
    path = predicted("x.jsonl", dim=384, seed=3)
    done = unprompt("score", path, prompts, "--ensemble", ensemble(dim=384, seed=4))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"{path}: predicted for the text encoder 'seeded 3, D = 384'; the ensemble's is "
        "'seeded 4, D = 384', another space\n"
    )


def test_an_encoder_that_has_changed_or_is_gone_is_refused(
    predicted: Callable[..., Path], prompts: Path
) -> None:
    path = predicted("x.jsonl", dim=256, seed=3)
    text = path.read_text()
    path.write_text(text.replace("seeded 3, D = 256", "seeded before"))
    with pytest.raises(
        DataError, match=r"for the text encoder 'seeded before'; plugin 'seeded' is"
    ):
        package.score(path, prompts)
    path.write_text(text.replace('"plugin": "seeded"', '"plugin": "seedless"'))
    with pytest.raises(package.UnpromptError, match=r"x.jsonl: text_encoder: plugin: unknown plug"):
        package.score(path, prompts)


def test_rows_of_several_encoders_in_one_file_are_refused(
    predicted: Callable[..., Path], prompts: Path, tmp_path: Path
) -> None:
    first, second = (predicted(f"{i}.parquet", dim=256, seed=i) for i in (1, 2))
    other = pq.read_table(second)
    names = pa.array([f"{name}, again" for name in other["image_id"].to_pylist()])
    other = other.set_column(0, "image_id", names)
    both = tmp_path / "both.parquet"
    pq.write_table(pa.concat_tables([pq.read_table(first), other], promote_options="default"), both)
    with pytest.raises(DataError) as caught:
        package.score(both, prompts)
    assert caught.value.problems == (
        f"{both}: its rows are of 2 text encoders: 'seeded 1, D = 256', 'seeded 2, D = 256'",
    )


def test_predictions_in_memory_know_their_encoder(
    ensemble: Callable[..., Path], prompts: Path
) -> None:
    loaded = package.load_ensemble(ensemble(dim=256, seed=5))
    predictions = loaded.predict({text: Image.new("RGB", (8, 8)) for text in PROMPTS})
    assert package.score(predictions, prompts).score == pytest.approx(1, abs=1e-6)
    named = package.score(predictions.embeddings, prompts, ensemble=ensemble(dim=256, seed=5))
    assert named.score == pytest.approx(1, abs=1e-6)


def test_the_members_of_a_run_are_scored_in_its_space(
    finished_run: Callable[..., Path], tmp_path: Path
) -> None:
    folder = finished_run(members=2, images=20)
    path = folder / "predictions" / "member-1.test.parquet"
    read = read_predictions(path)
    numbers = [name.removeprefix("test-") for name in read.ids]
    table = dict(zip(read.ids, [f"test number {number}" for number in numbers], strict=True))
    expected = _mean_cosine(read.rows, list(table.values()))
    assert package.score(path, table).score == pytest.approx(expected, abs=1e-6)


def _mean_cosine(rows: FloatArray, texts: Sequence[str]) -> float:
    return float(np.mean(cosine(rows, HashedWords().encode(texts))))
