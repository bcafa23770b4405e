"""Frozen features are computed once for each image, whatever is killed or damaged."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt.contracts import Images, Runtime
from unprompt.errors import DataError, OutputError
from unprompt.train import feature_store
from unprompt.train.frozen import features
from unprompt.types import FloatArray

from .conftest import Colours, coloured

IDENTITY = {"files": "abc"}
RUNTIME = Runtime(batch_size=4, workers=1)


@dataclass
class MeanColour:
    """A tower whose features are the mean of each channel, and their product."""

    seen: list[int] = field(default_factory=list)
    size: int = 1_000_000_000  # one batch at a time, and one ahead

    def preprocess(self, image: Any) -> Any:
        import torch

        return torch.from_numpy(
            np.asarray(image.resize((16, 16)), np.float32).transpose(2, 0, 1) / 255
        )

    def features(self, pixels: Any) -> FloatArray:
        self.seen.append(len(pixels))
        means = pixels.mean(dim=(2, 3)).numpy()
        result: FloatArray = np.column_stack([means, means.prod(axis=1)]).astype(np.float32)
        return result


def wanted(images: Images) -> FloatArray:
    source = images.source
    assert isinstance(source, Colours)
    means = np.array([source.levels[name] for name in images.ids]) / 255
    return np.column_stack([means, means.prod(axis=1)]).astype(np.float32)


def test_a_second_time_no_tower_is_even_built(tmp_path: Path) -> None:
    images, tower = coloured(10), MeanColour()
    first = features(lambda: tower, IDENTITY, images, RUNTIME, folder=tmp_path)
    np.testing.assert_allclose(first, wanted(images), atol=1e-6)
    assert tower.seen == [4, 4, 2]

    def never() -> MeanColour:
        raise AssertionError("the tower was asked for")

    again = features(never, IDENTITY, images, RUNTIME, folder=tmp_path)
    np.testing.assert_array_equal(again, first)


def test_only_new_images_go_through_the_tower(tmp_path: Path) -> None:
    """In any order, under any ids."""
    tower = MeanColour()
    features(lambda: tower, IDENTITY, coloured(6), RUNTIME, folder=tmp_path)
    tower.seen.clear()
    more = coloured(9, first=3)
    order = Images(more.ids[::-1], more.source)
    got = features(lambda: tower, IDENTITY, order, RUNTIME, folder=tmp_path)
    np.testing.assert_allclose(got, wanted(order), atol=1e-6)
    assert sum(tower.seen) == 6  # 6..11 of 3..11


def test_equal_images_are_computed_once(tmp_path: Path) -> None:
    tower, images = (
        MeanColour(),
        Images(("a", "b", "c"), Colours({"a": (1, 2, 3), "b": (9, 9, 9), "c": (1, 2, 3)})),
    )
    got = features(lambda: tower, IDENTITY, images, RUNTIME, folder=tmp_path)
    np.testing.assert_allclose(got, wanted(images), atol=1e-6)
    assert tower.seen == [2]


@pytest.mark.parametrize(
    ("identity", "runtime"),
    [({"files": "abd"}, RUNTIME), (IDENTITY, Runtime(precision="bfloat16", workers=1))],
)
def test_another_tower_or_precision_has_its_own(
    identity: dict[str, str], runtime: Runtime, tmp_path: Path
) -> None:
    features(MeanColour, IDENTITY, coloured(3), RUNTIME, folder=tmp_path)
    tower = MeanColour()
    features(lambda: tower, identity, coloured(3), runtime, folder=tmp_path)
    assert sum(tower.seen) == 3


def test_batch_size_and_threads_do_not_matter(tmp_path: Path) -> None:
    features(MeanColour, IDENTITY, coloured(3), RUNTIME, folder=tmp_path)
    tower = MeanColour()
    features(lambda: tower, IDENTITY, coloured(3), Runtime(batch_size=1), folder=tmp_path)
    assert not tower.seen


def test_a_dry_run_keeps_nothing(tmp_path: Path) -> None:
    images = coloured(5)
    got = features(MeanColour, IDENTITY, images, Runtime(dry_run=True), folder=tmp_path)
    np.testing.assert_allclose(got, wanted(images), atol=1e-6)
    assert not list(tmp_path.iterdir())


def test_an_error_keeps_what_was_computed_before_it(tmp_path: Path) -> None:
    class Broken(Colours):
        def open(self, image_id: str) -> Any:
            if image_id == "i6":
                raise DataError("i6: damaged")
            return super().open(image_id)

    whole = coloured(10).source
    assert isinstance(whole, Colours)
    with pytest.raises(DataError, match="i6: damaged"):
        broken = Images(tuple(whole.levels), Broken(whole.levels))
        features(MeanColour, IDENTITY, broken, RUNTIME, folder=tmp_path)
    tower = MeanColour()
    features(lambda: tower, IDENTITY, coloured(10), RUNTIME, folder=tmp_path)
    assert sum(tower.seen) == 6  # one batch of 4 had been kept


KILLED = """
import os, signal, sys
from pathlib import Path
from unprompt.contracts import Runtime
from unprompt.train.frozen import features
from {conftest} import coloured
from {test} import IDENTITY, MeanColour

class Killed(MeanColour):
    def features(self, pixels):
        if len(self.seen) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().features(pixels)

features(Killed, IDENTITY, coloured(10), Runtime(batch_size=4, workers=1), folder=Path(sys.argv[1]))
"""


def test_a_killed_process_loses_two_batches_at_most(tmp_path: Path) -> None:
    code = KILLED.format(conftest="training.conftest", test="training.test_features")
    tests = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join([tests, *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == -signal.SIGKILL
    images, tower = coloured(10), MeanColour()
    got = features(lambda: tower, IDENTITY, images, RUNTIME, folder=tmp_path)
    np.testing.assert_allclose(got, wanted(images), atol=1e-6)
    assert sum(tower.seen) in (2, 6)  # the first batch of 4 is kept, and maybe the second one


def test_a_damaged_row_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    images = coloured(6)
    features(MeanColour, IDENTITY, images, RUNTIME, folder=tmp_path)
    (path,) = tmp_path.glob("*.sqlite")
    connection = sqlite3.connect(path)
    blob = np.full(4, 0.5, "<f4").tobytes()
    with connection:
        name = images.digest("i2")
        connection.execute("UPDATE features SET row = ? WHERE digest = ?", (blob, name))
    connection.close()
    tower = MeanColour()
    got = features(lambda: tower, IDENTITY, images, RUNTIME, folder=tmp_path)
    np.testing.assert_allclose(got, wanted(images), atol=1e-6)
    assert tower.seen == [1]
    assert "1 damaged rows are made again" in caplog.text


@pytest.mark.parametrize("where", ["start", "middle"])
def test_a_damaged_file_is_made_again(
    where: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = coloured(300)
    features(MeanColour, IDENTITY, images, Runtime(), folder=tmp_path)
    (path,) = tmp_path.glob("*.sqlite")
    content = bytearray(path.read_bytes())
    start = 0 if where == "start" else 4096  # the second page is the table's
    content[start : start + 2000] = b"x" * 2000
    path.write_bytes(content)
    got = features(MeanColour, IDENTITY, images, Runtime(), folder=tmp_path)
    np.testing.assert_allclose(got, wanted(images), atol=1e-6)
    assert "was damaged and is made again" in caplog.text


def test_many_features_are_mapped_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_store, "_IN_MEMORY", 100)
    monkeypatch.setattr(feature_store, "_ASKED", 7)
    images = coloured(20)
    got = features(MeanColour, IDENTITY, images, RUNTIME, folder=tmp_path)
    assert isinstance(got, np.memmap)
    np.testing.assert_allclose(got, wanted(images), atol=1e-6)


def test_a_cache_that_is_no_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="features cannot be kept"):
        features(MeanColour, IDENTITY, coloured(2), RUNTIME, folder=tmp_path / "file")


class Unreadable(Colours):
    """Of which two cannot be read, and one is not even there."""

    def open(self, image_id: str) -> Any:
        if image_id in ("i1", "i4"):
            raise DataError(f"{image_id}.png: damaged")
        return super().open(image_id)

    def digest(self, image_id: str) -> str:
        if image_id == "i2":
            raise DataError("i2.png: no such file")
        return super().digest(image_id)


def test_broken_images_are_named_and_left_out(tmp_path: Path) -> None:
    source = coloured(6).source
    assert isinstance(source, Colours)
    images = Images(tuple(source.levels), Unreadable(source.levels))
    for _ in range(2):  # what cannot be read is tried again
        broken: dict[str, str] = {}
        got = features(MeanColour, IDENTITY, images, RUNTIME, folder=tmp_path, broken=broken)
        assert broken == {
            "i1": "i1.png: damaged",
            "i2": "i2.png: no such file",
            "i4": "i4.png: damaged",
        }
        whole = np.array([0, 3, 5])
        np.testing.assert_allclose(got[whole], wanted(images)[whole], atol=1e-6)
        assert not got[[1, 2, 4]].any()
    with pytest.raises(DataError, match=r"i1\.png: damaged|no such file"):
        features(MeanColour, IDENTITY, images, RUNTIME, folder=tmp_path)
    only = images.select(["i1"])
    with pytest.raises(DataError) as caught:
        features(MeanColour, IDENTITY, only, RUNTIME, folder=tmp_path, broken={})
    assert caught.value.problems == ("none of 1 images can be read", "i1.png: damaged")
