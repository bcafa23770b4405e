"""Losses as YAML says them, bound to a train set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch  # noqa: TID253  # every test here computes with it
from pydantic import TypeAdapter, ValidationError

from unprompt._data.predictions import write_predictions
from unprompt._data.space import TextSpace
from unprompt.contracts import Batch, TrainSet
from unprompt.embeddings import Embeddings, cosine, unit
from unprompt.errors import DataError, MissingFileError
from unprompt.testing import HashedWords
from unprompt.train import losses
from unprompt.train.criterion import ROWS, Criterion
from unprompt.train.loss_options import Loss, Term, teacher_identity, teacher_needs

from .conftest import MakeTrain

PROMPTS = ["a red fox in snow", "blue sky", "a red fox in snow", "an old red barn", "snow at night"]
WEIGHTS = [1.0, 3.0, 0.0, 2.0, 2.0]
ROWS_OF_BATCH = torch.tensor([3, 0, 1])


def terms(raw: object) -> tuple[Term, ...]:
    parsed: tuple[Term, ...] = TypeAdapter(Loss).validate_python(raw)
    return parsed


def value(raw: object, train: TrainSet, predicted: torch.Tensor) -> float:
    criterion = Criterion(terms(raw), train)
    outputs = {ROWS: predicted}
    outputs |= {name: module(predicted) for name, module in criterion.extras.items()}
    return float(criterion(outputs, ROWS_OF_BATCH).detach())


@pytest.fixture(scope="module")
def train(make_train: MakeTrain) -> TrainSet:
    return make_train(PROMPTS, WEIGHTS)


@pytest.fixture(scope="module")
def predicted(train: TrainSet) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, train.targets.dim, generator=generator)


def batch_of(train: TrainSet) -> tuple[torch.Tensor, torch.Tensor]:
    """Targets and weights of the batch; weights have a mean of 1 over all images."""
    scaled = torch.tensor(WEIGHTS) / float(np.mean(WEIGHTS))
    return torch.from_numpy(train.targets.rows)[ROWS_OF_BATCH], scaled[ROWS_OF_BATCH]


@pytest.mark.parametrize("name", ["cosine", "angular"])
def test_a_name_is_a_loss(name: str, train: TrainSet, predicted: torch.Tensor) -> None:
    targets, weights = batch_of(train)
    wanted = float(getattr(losses, name)(predicted, targets, weights))
    assert value(name, train, predicted) == pytest.approx(wanted)
    assert value({"name": name}, train, predicted) == pytest.approx(wanted)
    assert value([name], train, predicted) == pytest.approx(wanted)


def test_a_list_is_a_weighted_sum(train: TrainSet, predicted: torch.Tensor) -> None:
    both = value([{"name": "cosine", "weight": 2.0}, "angular"], train, predicted)
    single = 2 * value("cosine", train, predicted) + value("angular", train, predicted)
    assert both == pytest.approx(single)


def test_without_weights_all_images_count_alike(train: TrainSet, predicted: torch.Tensor) -> None:
    targets, _ = batch_of(train)
    got = Criterion(terms("cosine"), train, weighted=False)({ROWS: predicted}, ROWS_OF_BATCH)
    assert float(got) == pytest.approx(float(1 - cosine(predicted, targets).mean()), abs=1e-6)


def test_vocabulary_is_cosine_words_and_huber(train: TrainSet, predicted: torch.Tensor) -> None:
    criterion = Criterion(terms({"name": "vocabulary", "bce": 0.3, "huber": 2.0}), train)
    logits = criterion.extras["words"](predicted)
    got = criterion({ROWS: predicted, "words": logits}, ROWS_OF_BATCH)
    # Without stop words ("a", "in", "an", "at") in alphabetical order:
    words = ["barn", "blue", "fox", "night", "old", "red", "sky", "snow"]
    labels = torch.tensor(
        [[float(word in PROMPTS[row].split()) for word in words] for row in ROWS_OF_BATCH]
    )
    targets, weights = batch_of(train)
    wanted = (
        losses.cosine(predicted, targets, weights)
        + 0.3 * losses.words(logits, labels, weights)
        + 2.0 * losses.huber(predicted, targets, weights)
    )
    assert float(got.detach()) == pytest.approx(float(wanted.detach()))


def test_the_words_are_the_most_frequent_ones(train: TrainSet) -> None:
    (vocabulary,) = terms({"name": "vocabulary", "words": 2})
    head: Any = Criterion([vocabulary], train).extras["words"]
    assert head.out_features == 2  # red and snow, each in three of five prompts
    frequency = torch.sigmoid(head.bias.detach())
    torch.testing.assert_close(frequency, torch.tensor([0.6, 0.6]))


def test_prompts_without_words_are_a_clear_error(make_train: MakeTrain) -> None:
    with pytest.raises(DataError, match="the prompts have no words to learn"):
        Criterion(terms("vocabulary"), make_train(["12 34", "the and", "!!!"]))


def test_equal_prompts_of_a_batch_are_no_negatives(make_train: MakeTrain) -> None:
    train = make_train(["one", "two", "one"])
    rows = torch.tensor([0, 2])
    predicted = torch.from_numpy(train.targets.rows)[rows]
    got = Criterion(terms("contrastive"), train)({ROWS: predicted}, rows)
    assert float(got) == 0


def test_weights_that_are_all_zero_are_refused(make_train: MakeTrain) -> None:
    with pytest.raises(DataError, match="no train image has a weight above zero"):
        Criterion(terms("cosine"), make_train(["one", "two"], [0.0, 0.0]))


def test_losses_are_not_computed_in_bfloat16(train: TrainSet, predicted: torch.Tensor) -> None:
    wanted = value("contrastive", train, predicted)
    with torch.autocast("cpu", torch.bfloat16):
        assert value("contrastive", train, predicted) == wanted


# Distillation.


def save_teacher(path: Path, ids: tuple[str, ...], rows: Any, identity: str | None = None) -> Path:
    batch = Batch(Embeddings(ids, rows), (None,) * len(ids), ((),) * len(ids))
    space = None if identity is None else TextSpace(plugin="words", identity=identity)
    write_predictions(path, "parquet", batch, space=space)
    return path


def taught(path: Path) -> dict[str, object]:
    return {"name": "distillation", "teacher": str(path), "weight": 0.5}


def test_a_teacher_is_joined_by_id_and_abstains_where_its_row_is_zero(
    tmp_path: Path, train: TrainSet, predicted: torch.Tensor
) -> None:
    rows = unit(np.random.default_rng(2).normal(size=train.targets.rows.shape))
    rows[0] = 0
    ids = train.images.ids
    path = save_teacher(
        tmp_path / "teacher.parquet",
        (*ids[::-1], "another"),
        np.concatenate([rows[::-1], rows[1:2]]),
        HashedWords().identity,
    )
    _, weights = batch_of(train)
    each = (1 - cosine(predicted, rows[ROWS_OF_BATCH])) * weights.numpy()
    each[1] = 0  # row 0, where the teacher abstained
    assert value(taught(path), train, predicted) == pytest.approx(0.5 * each.mean(), abs=1e-6)


def test_images_without_a_prediction_are_named(tmp_path: Path, train: TrainSet) -> None:
    path = save_teacher(tmp_path / "t.parquet", train.images.ids[:3], train.targets.rows[:3])
    with pytest.raises(
        DataError,
        match=r"t\.parquet: has no predictions of 2 of 5 train images: "
        r"'i3', 'i4'",
    ):
        Criterion(terms(taught(path)), train)


def test_a_teacher_of_another_space_is_refused(tmp_path: Path, train: TrainSet) -> None:
    ids = train.images.ids
    narrow = save_teacher(tmp_path / "narrow.parquet", ids, unit(np.ones((5, 3))))
    with pytest.raises(DataError, match="rows have 3 numbers, the target space"):
        Criterion(terms(taught(narrow)), train)
    other = save_teacher(tmp_path / "other.parquet", ids, train.targets.rows, "another encoder")
    with pytest.raises(DataError, match="predicted for the text encoder 'another encoder'"):
        Criterion(terms(taught(other)), train)


def test_a_teacher_is_part_of_the_identity_by_content(tmp_path: Path, train: TrainSet) -> None:
    path, moved = tmp_path / "a.parquet", tmp_path / "b.parquet"
    assert teacher_identity(terms("cosine")) == {}
    (need,) = teacher_needs(terms(taught(path)))
    assert (need.where, need.here) == (str(path), False)
    with pytest.raises(MissingFileError, match=r"no predictions of a teacher in .*a\.parquet"):
        teacher_identity(terms(taught(path)))
    save_teacher(path, train.images.ids, train.targets.rows)
    moved.write_bytes(path.read_bytes())
    first = teacher_identity(terms(taught(path)))
    assert first == teacher_identity(terms(taught(moved)))
    save_teacher(path, train.images.ids, train.targets.rows[::-1].copy())
    assert teacher_identity(terms(taught(path))) != first


# What YAML cannot say.


@pytest.mark.parametrize(
    ("raw", "place", "message"),
    [
        ({"name": "vocabulary", "wrods": 3}, ("wrods",), "did you mean"),
        ({"name": "cosine", "words": 3}, ("words",), "it belongs to `name: vocabulary`"),
        ("kosine", ("name",), "'cosine'"),
        ({"name": "angular", "weight": 0}, ("weight",), "greater than 0"),
        (["cosine", {"name": "contrastive", "temperature": -1}], (1, "temperature"), "greater"),
        (["cosine", {"name": "cosine", "weight": 2.0}], (), "names `cosine` twice"),
        ([], (), "at least 1"),
        ({"name": "distillation"}, ("teacher",), "required"),
    ],
)
def test_mistakes_are_at_the_key_that_is_written(
    raw: object, place: tuple[object, ...], message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        terms(raw)
    (error,) = caught.value.errors()
    assert error["loc"] == place
    assert message in error["msg"].lower() or message in error["msg"]
