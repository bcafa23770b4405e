"""Images that are not there, cannot be read, or are too few."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from unprompt._data.predictions import read_predictions

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]


def test_missing_image(mistake: Callable[..., list[str]], ensemble: Path, images: Path) -> None:
    lines = mistake("predict", ensemble, images, "none.png", "-o", "out.csv")
    assert lines == ["none.png: no such file or folder"]


def test_empty_folder(mistake: Callable[..., list[str]], ensemble: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (line,) = mistake("predict", ensemble, "empty", "-o", "out.csv")
    assert line.startswith("empty: no image in this folder")


def test_only_unreadable_images(
    mistake: Callable[..., list[str]], ensemble: Path, truncated: Path
) -> None:
    lines = mistake("predict", ensemble, truncated, "--skip-unreadable", "-o", "out.csv")
    assert lines[0].startswith(f"skipped: {truncated}: cannot be read as an image")
    assert lines[1:] == ["no image that can be read is left"]


def test_a_truncated_image_is_an_error_before_any_model_loads(
    ensemble: Path, truncated: Path, tmp_path: Path
) -> None:
    program = (
        "import sys; from unprompt._cli.app import main\n"
        "try: main()\n"
        "finally:\n"
        "  loaded = 'torch' in sys.modules, 'unprompt._members.member' in sys.modules\n"
        "  print(*loaded, file=sys.stderr)"
    )
    output = tmp_path / "new" / "out.csv"
    done = subprocess.run(
        [sys.executable, "-c", program, "predict", ensemble, truncated.parent, "-o", output],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    first, second, loaded = done.stderr.splitlines()
    assert loaded == "False True"
    assert first.startswith(f"{truncated}: cannot be read as an image: ")
    assert second == "skip_unreadable (--skip-unreadable) leaves these out"
    assert not output.parent.exists()


def test_skip_unreadable_predicts_the_rest(
    unprompt: Command, small_folder: Path, truncated: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    done = unprompt(
        "predict", small_folder, truncated.parent, "--skip-unreadable", "--output", output
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"2 images: {output}\n"
    line, total, _ = done.stderr.splitlines()
    assert line.startswith(f"skipped: {truncated}: cannot be read as an image: ")
    assert total == "3 files: 2 predicted, 1 skipped, 0 left out"
    assert read_predictions(output).ids == ("a", "b")
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert all(row["prompt"] and row["evidence"] for row in rows)


def test_an_experiment_with_an_unreadable_image(
    mistake: Callable[..., list[str]], ensemble: Path, truncated: Path, tmp_path: Path
) -> None:
    names = ["a.png", "b.png", "broken.png"]
    lines = ["image,prompt", *(f"{name},an image called {name}" for name in names)]
    (truncated.parent / "table.csv").write_text("\n".join(lines))
    (tmp_path / "pairs.yaml").write_text(
        f"name: pairs\ndata: {{plugin: pairs, options: {{table: images/table.csv}}}}\n"
        f"ensemble: {{include: {ensemble}}}\n"
    )
    (line,) = mistake("run", "pairs.yaml")
    assert line.startswith(f"{truncated}: cannot be read as an image: ")
