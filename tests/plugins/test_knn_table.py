"""The command that makes the table of kNN's options, at toy size."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import TypeAdapter

from unprompt._files.cache import Cache
from unprompt_knn.options import KnnOptions
from unprompt_text_map.options import TextMapOptions

ROOT = Path(__file__).parents[2]
EXPERIMENT = """\
name: toy
data:
  plugin: painter
  options: {seed: 7, images: 60, size: 64}
  split: {train: 0.6, holdout: 0.2, test: 0.2, seed: 0}
ensemble:
  members:
    - plugin: clip-l14
      options: {backbone: {folder: package:unprompt_painter/checkpoints/vision-a}}
    - plugin: knn-vit-h
      options: {backbone: {folder: package:unprompt_painter/checkpoints/clip-a}}
score: {wordings: 2}
"""


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    path = ROOT / "experiments" / "benchmarks" / "knn_options.py"
    spec = importlib.util.spec_from_file_location("knn_options", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["knn_options"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["knn_options"]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_it_fills_the_marked_part_and_goes_on_from_the_cache(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Cache, "default", lambda: Cache(tmp_path / "cache"))
    (tmp_path / "toy.yaml").write_text(EXPERIMENT)
    guide = tmp_path / "guide.md"
    guide.write_text(f"before\n{script.BEGIN}\nan earlier table\n{script.END}\nafter\n")
    wanted = [script.SOLUTION, "rank, fitted with its K", script.MAP]
    only = [part for name in wanted for part in ("--only", name)]
    given = ["--experiment", str(tmp_path / "toy.yaml"), "--wordings", "2", *only]
    script.main([*given, "--guide", str(guide), "--write"])
    printed = capsys.readouterr().out
    text = guide.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "earlier" not in text
    header, _, *lines = [line for line in text.splitlines() if line.startswith("|")]
    assert tuple(cells(header)) == script.HEADER
    assert [cells(line)[0] for line in lines] == wanted
    for number, line in enumerate(lines):
        shown = dict(zip(script.HEADER, cells(line), strict=True))
        assert 0 < float(shown["test"]) < 1 and 0 < float(shown["in the blend"]) < 1
        assert shown["gap closed"].endswith("%")
        low, high = map(float, shown["95 % interval"].strip("[]").split(","))
        assert low <= float(shown["test"]) <= high
        assert bool(shown["minus the first line"]) == (number > 0)
    assert "chosen: rank, decay" in printed
    # A second run prepares nothing: the table is the same.
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("artifact.json")}
    script.main(given)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("artifact.json")} == made
    again = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert again[2:] == lines


def test_every_line_is_options_that_exist(script: ModuleType) -> None:
    backbone = {"backbone": {"folder": "x"}}
    for name, options in script.VARIANTS.items():
        family = TextMapOptions if name.startswith(script.MAP) else KnnOptions
        read = TypeAdapter(family).validate_python({**options, **backbone})
        assert read.model_fields_set == {*options, *backbone}


def test_a_line_that_does_not_exist_is_refused(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        script.main(["--only", "nothing"])
    assert caught.value.code == 2
    assert "no such line: 'nothing'" in capsys.readouterr().err


def test_the_guide_has_the_marked_part(script: ModuleType) -> None:
    guide = script.GUIDE.read_text(encoding="utf-8")
    assert guide.count(script.BEGIN) == guide.count(script.END) == 1
