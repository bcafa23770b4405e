"""``unprompt check``: files, sizes and exit codes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]

from .conftest import fetch_commands, rows


def test_an_ensemble_that_has_everything(unprompt: Command, small: Path, tmp_path: Path) -> None:
    import open_clip
    from transformers import CLIPVisionModel

    done = unprompt("check", small)
    assert done.returncode == 0, done.stderr
    assert "MISSING" not in done.stdout and "To fetch" not in done.stdout
    clip, vision = tmp_path / "towers" / "clip-a", tmp_path / "towers" / "vision-a"
    assert rows(done.stdout, "member ") == [
        ["knn-vit-h", "here", "open_clip_config.json", str(clip)],
        ["knn-vit-h", "here", "open_clip_model.safetensors", str(clip)],
        ["clip-l14", "here", "config.json", str(vision)],
        ["clip-l14", "here", "preprocessor_config.json", str(vision)],
        ["clip-l14", "here", "model.safetensors", str(vision)],
    ]
    models = (open_clip.create_model(f"local-dir:{clip}"), CLIPVisionModel.from_pretrained(vision))
    counts = [sum(p.numel() for p in model.parameters()) for model in models]
    shown = [[f"{count / 1e6:.1f} M", f"{count * 4 / 2**30:.2f} GiB"] for count in counts]
    assert rows(done.stdout, "member     tower") == [
        ["knn-vit-h", "CLIP", *shown[0]],
        ["clip-l14", "image", *shown[1]],
    ]


def test_missing_weights_are_exit_1_and_sizes_are_still_said(
    unprompt: Command, small: Path, tmp_path: Path
) -> None:
    whole = unprompt("check", small)
    assert whole.returncode == 0, whole.stderr
    (tmp_path / "towers" / "clip-a" / "open_clip_model.safetensors").unlink()
    done = unprompt("check", small)
    assert done.returncode == 1
    assert done.stderr == ""
    missing = [row for row in rows(done.stdout, "member ") if row[1] == "MISSING"]
    (row,) = missing
    assert row[0] == "knn-vit-h" and row[3] == str(tmp_path / "towers" / "clip-a")
    assert "open_clip_model.safetensors" in row[2]
    assert rows(done.stdout, "member     tower") == rows(whole.stdout, "member     tower")


def test_a_missing_architecture_is_a_line_and_the_other_member_is_still_sized(
    unprompt: Command, small: Path, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "towers" / "clip-a")
    done = unprompt("check", small)
    assert done.returncode == 1
    first, second = rows(done.stdout, "member     tower")
    assert first[:2] == ["knn-vit-h", "?"] and str(tmp_path / "towers" / "clip-a") in first[2]
    assert second[:2] == ["clip-l14", "image"]


def test_a_members_own_needs_and_how_to_fetch_them(
    unprompt: Command, light: Callable[..., Path], tmp_path: Path
) -> None:
    done = unprompt("check", light({"lacks": True}, {}, {"lacks": True}))
    assert done.returncode == 1
    assert rows(done.stdout, "member ") == [
        [f"lamp-{i}", "MISSING", "light.bin", "/nowhere/light.bin"] for i in (0, 2)
    ]
    assert fetch_commands(done.stdout) == ["curl -O https://light.invalid/bin"]
    assert rows(done.stdout, "member  tower") == [
        [f"lamp-{i}", "lamp", "2.5 M", "0.01 GiB"] for i in range(3)
    ]
    assert not (tmp_path / "log").exists()  # nothing ran


def test_an_ensemble_without_files(unprompt: Command, light: Callable[..., Path]) -> None:
    done = unprompt("check", light({}))
    assert done.returncode == 0
    assert done.stdout.startswith("no files needed\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["none.yaml"], "none.yaml: cannot be read: no such file or directory"),
        (["light.yaml", "--images", "none"], "none: no such file or folder"),
        (["light.yaml", "--device", "cuda:99"], "runtime.device: 'cuda:99' cannot be used"),
        (
            ["light.yaml", "--batch-size", "0"],
            "batch_size (--batch-size): Input should be greater than",
        ),
        (["light.yaml", "--set", "members.lamp-0.weight=-1"], "members.0.weight: should be at"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_2(
    words: list[str],
    line: str,
    unprompt: Command,
    light: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    light({})
    monkeypatch.chdir(tmp_path)
    done = unprompt("check", *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1
