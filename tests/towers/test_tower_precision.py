"""bfloat16 where the processor computes in it, near to float32, and never mixed up with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from unprompt._config.models import RuntimeConfig
from unprompt._files.cache import Cache
from unprompt._members.context import Context
from unprompt._members.member import LiveMember
from unprompt._pipeline.setup import make_context
from unprompt._registry.loading import load_ensemble
from unprompt._registry.plugins import Registry
from unprompt.contracts import Runtime
from unprompt.embeddings import cosine
from unprompt.testing import example_images, example_train_set
from unprompt.towers import ClipTowers, FolderSource, VisionTower
from unprompt.towers.precision import inference, resolve_precision

Rows = npt.NDArray[np.float32]
CPUINFO = Path("/proc/cpuinfo")


def shipped(tower: str) -> FolderSource:
    return FolderSource.model_validate({"folder": f"package:unprompt_painter/checkpoints/{tower}"})


@pytest.mark.skipif(not CPUINFO.is_file(), reason="the system does not say what its processor can")
def test_auto_is_bfloat16_where_the_system_says_that_the_processor_has_it() -> None:
    flags = CPUINFO.read_text().split()
    wanted = "bfloat16" if "avx512_bf16" in flags else "float32"
    assert resolve_precision("auto", "cpu") == wanted
    settings = RuntimeConfig(precision="auto")
    assert make_context(Registry(), settings).runtime.precision == wanted


@pytest.mark.parametrize(("native", "wanted"), [(True, "bfloat16"), (False, "float32")])
def test_auto_for_either_processor(
    native: bool, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    # One machine has one processor: the other one's answer is given for it.
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    assert resolve_precision("auto", "cpu") == wanted


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_named_precision_is_what_is_used(precision: str) -> None:
    import torch

    assert resolve_precision(precision, "cpu") == precision
    with inference(Runtime(precision=precision), torch.nn.Linear(2, 2)):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == getattr(torch, precision)
    assert not product.requires_grad


def pixels(tower: Any) -> Any:
    import torch

    images = example_images()
    return torch.stack([tower.preprocess(images.open(name)) for name in images.ids])


def assert_near(exact: Rows, half: Rows) -> None:
    assert half.dtype == np.float32
    assert not np.array_equal(exact, half)  # so that both were really computed
    cosines = cosine(exact, half)
    assert cosines.min() >= 0.999


def both(make: Callable[[Runtime], Any]) -> list[Any]:
    return [make(Runtime(precision=precision)) for precision in ("float32", "bfloat16")]


def test_clip_rows_in_bfloat16_agree_with_float32() -> None:
    towers = both(lambda runtime: ClipTowers(shipped("clip-a"), runtime, "own"))
    seen = pixels(towers[0])
    assert_near(*(tower.images(seen) for tower in towers))
    assert_near(*(tower.images(seen, ("identity", "hflip", "five-crop")) for tower in towers))
    texts = [f"a {colour} wall number {i}" for i, colour in enumerate(("red", "green", "blue"))]
    assert_near(*(tower.texts(texts) for tower in towers))


def test_vision_features_in_bfloat16_agree_with_float32() -> None:
    towers = both(lambda runtime: VisionTower(shipped("vision-a"), runtime, "own"))
    seen = pixels(towers[0])
    assert_near(*(tower.features(seen) for tower in towers))


# The key of what is cached

ENSEMBLE = """\
members:
- plugin: knn-vit-h
  options:
    backbone: {folder: package:unprompt_painter/checkpoints/clip-a}
- plugin: clip-l14
  options:
    backbone: {folder: package:unprompt_painter/checkpoints/vision-a}
"""


def folders(cache: Cache, kind: str) -> set[Path]:
    folder = cache.root / kind
    return set(folder.iterdir()) if folder.is_dir() else set()


@pytest.mark.parametrize("which", [0, 1], ids=["knn", "regressor"])
def test_precisions_do_not_share_what_is_cached(which: int, tmp_path: Path) -> None:
    path = tmp_path / "ensemble.yaml"
    path.write_text(ENSEMBLE)
    registry, cache = Registry(), Cache(tmp_path / "cache")
    member = load_ensemble(path, registry).members[which]
    images, train = example_images(), example_train_set()
    rows: dict[str, Rows] = {}
    kept: dict[str, tuple[set[Path], set[Path]]] = {}
    for precision in ("float32", "bfloat16", "float32"):
        context = Context(registry, Runtime(precision=precision, offline=True), cache)
        before = folders(cache, "artifacts"), folders(cache, "predictions")
        with closing(LiveMember(member, context, train.text_encoder)) as live:
            batch = live.predict(live.prepare(train), images)
        if precision in rows:  # again: nothing new is computed
            assert (folders(cache, "artifacts"), folders(cache, "predictions")) == before
            np.testing.assert_array_equal(batch.embeddings.rows, rows[precision])
        rows[precision] = batch.embeddings.rows
        new = folders(cache, "artifacts") - before[0], folders(cache, "predictions") - before[1]
        kept.setdefault(precision, new)
    for artifacts, predictions in kept.values():
        assert len(artifacts) == len(predictions) == 1
    assert kept["float32"][0].isdisjoint(kept["bfloat16"][0])
    assert kept["float32"][1].isdisjoint(kept["bfloat16"][1])
    assert not np.array_equal(rows["float32"], rows["bfloat16"])
    assert cosine(rows["float32"], rows["bfloat16"]).min() >= 0.999
