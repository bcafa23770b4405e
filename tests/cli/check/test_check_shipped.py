"""``unprompt check`` of the shipped ensembles at full size, whose files are not here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]

from .conftest import fetch_commands, rows

SHIPPED = ("knn-vit-g", "knn-vit-h", "clip-l14", "clip-l16-384", "clip-blip")
KAGGLE = (*SHIPPED[:4], "clip-l16-384-mirrored", SHIPPED[4])


@pytest.fixture
def empty_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub cache with nothing in it, whatever this machine has downloaded."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


FETCH = """\
hf download laion/CLIP-ViT-g-14-laion2B-s34B-b88K open_clip_model.safetensors
hf download laion/CLIP-ViT-H-14-laion2B-s32B-b79K open_clip_model.safetensors
hf download Salesforce/blip-image-captioning-large config.json preprocessor_config.json \
tokenizer.json model.safetensors
"""
FETCH_STRONG = """\
hf download openai/clip-vit-large-patch14 config.json preprocessor_config.json model.safetensors
hf download timm/vit_large_patch16_384.augreg_in21k_ft_in1k model.safetensors
"""
INTERROGATOR = 'pip install "unprompt[interrogator]"'


@pytest.mark.parametrize(
    ("name", "commands", "members"),
    [("kaggle-68th", FETCH, KAGGLE), ("strong", FETCH + FETCH_STRONG, SHIPPED)],
)
@pytest.mark.usefixtures("empty_hub")
def test_the_full_size_ensembles_name_members_hub_files_and_sizes(
    name: str, commands: str, members: tuple[str, ...], unprompt: Command, root: Path
) -> None:
    done = unprompt("check", root / "ensembles" / f"{name}.yaml")
    assert done.returncode == 1
    assert done.stderr == ""
    files = rows(done.stdout, "member ")
    assert list(dict.fromkeys(row[0] for row in files)) == list(members)
    fetched = set(fetch_commands(done.stdout)) - {INTERROGATOR}  # which may be installed
    assert fetched == set(commands.splitlines())
    # Millions of parameters as open_clip, OpenAI, timm and Salesforce publish them; timm's without
    # its classifier (304.7 with it), BLIP's without a second copy of its word embeddings.
    sizes = [
        ["knn-vit-g", "CLIP", "1,366.7 M"],
        ["knn-vit-h", "CLIP", "986.1 M"],
        ["clip-l14", "image", "303.2 M"],
        ["clip-l16-384", "image", "303.7 M"],
        ["clip-l16-384-mirrored", "image", "303.7 M"],
        ["clip-blip", "CLIP", "986.1 M"],
        ["clip-blip", "captioner", "446.3 M"],
    ]
    header = f"member{' ' * (max(map(len, members)) - 4)}tower"
    shown = [row[:3] for row in rows(done.stdout, header)]
    assert shown == [row for row in sizes if row[0] in members]


@pytest.mark.usefixtures("empty_hub")
def test_the_seeds_private_files_are_looked_for_beside_it(unprompt: Command, root: Path) -> None:
    done = unprompt("check", root / "ensembles" / "kaggle-68th.yaml")
    where = {row[3] for row in rows(done.stdout, "member ") if "kaggle-68th/" in row[3]}
    names = ("prompts.parquet", "clip-l14.pth", "vit-l16-384.pth")
    assert where == {str(root / "ensembles" / "kaggle-68th" / name) for name in names}
