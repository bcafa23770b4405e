"""Every reader of files that anybody may have written, with healthy files to damage."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pydantic import ValidationError

import unprompt_painter
from unprompt import Batch, ConfigError, Embeddings, Evidence, Runtime, load_run, unit
from unprompt._builtin.pairs import Pairs, PairsOptions
from unprompt._builtin.parquet_images import ParquetImagesOptions, ParquetImageTables
from unprompt._builtin.webdataset import WebDataset, WebDatasetOptions
from unprompt._config.location import Location
from unprompt._data.predictions import FORMATS, read_predictions, write_predictions
from unprompt._data.prompts import read_prompts
from unprompt._files.checksums import CHECKSUMS
from unprompt.bank import PromptBank
from unprompt.towers import ClipTowers, FolderSource, TimmTower, VisionTower
from unprompt.towers.state import read_state
from unprompt.train import FoldedHead as Head
from unprompt_blip.caption_models import load as load_captioner
from unprompt_blip.phrases import Phrases
from unprompt_blip.sources import FolderCaptioner
from unprompt_knn.kernel import Softmax

CHECKPOINTS = Path(unprompt_painter.__file__).parent / "checkpoints"
OFFLINE = Runtime(offline=True)
IDS = ("é", "b", "c")


@dataclass(frozen=True)
class Reader:
    """A reader with its files.

    Attributes:
        files: Those that are damaged, one at a time.
        make: Writes them, healthy, into a folder; None: they are a finished run's.
        read: Reads them; gives what they hold.
        sealed: Whether the folder has checksums, so that no damage is overlooked.
        slow: Whether reading takes tenths of a second: fewer ways of damage then.
    """

    files: tuple[str, ...]
    read: Callable[[Path], object]
    make: Callable[[Path], object] | None = None
    sealed: bool = False
    slow: bool = False


def _rows(count: int, dim: int) -> Any:
    return unit(np.random.default_rng(count * dim).normal(size=(count, dim)))


def _bank(folder: Path) -> None:
    PromptBank.of(["a cat", "é", "c"], _rows(3, 8), _rows(3, 4)).save(folder)


def _read_bank(folder: Path) -> PromptBank:
    bank = PromptBank.read(folder)
    bank.check(folder, target_dim=8, key_dim=4)
    return bank


def _head(folder: Path) -> None:
    Head(_rows(5, 8), _rows(1, 8)[0]).save(folder)


def _read_head(folder: Path) -> Head:
    head = Head.read(folder)
    head.check(folder, features=5, target_dim=8)
    return head


def _phrases(folder: Path) -> None:
    tables = {"mediums": np.array([0, 2]), "flavors": np.array([1])}
    Phrases(("oil", "misty", "é"), _rows(3, 4), tables).save(folder)


def _read_phrases(folder: Path) -> Phrases:
    phrases = Phrases.read(folder)
    phrases.check(folder, 4)
    return phrases


def _predictions(format: str) -> Callable[[Path], None]:
    evidence = (Evidence("near", 0.5, "nearest"),)
    batch = Batch(Embeddings(IDS, _rows(3, 8)), ("a", None, "c"), (evidence,) * 3)
    return lambda folder: write_predictions(folder / f"p{FORMATS[format]}", format, batch)


def _table(suffix: str) -> Callable[[Path], None]:
    rows = [{"image_id": name, "prompt": f"{name} prompt"} for name in IDS]

    def make(folder: Path) -> None:
        path = folder / f"t{suffix}"
        if suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        elif suffix == ".jsonl":
            path.write_text("\n".join(map(json.dumps, rows)))
        else:
            lines = ["image_id,prompt", *(",".join(row.values()) for row in rows)]
            path.write_text("\n".join(lines).replace(",", "\t" if suffix == ".tsv" else ","))

    return make


def _pairs(folder: Path) -> None:
    (folder / "a.png").touch()
    (folder / "pairs.csv").write_text("image,prompt\na.png,a cat\n")


def _read_pairs(folder: Path) -> object:
    options = {"table": str(folder / "pairs.csv")}
    try:
        return Pairs(PairsOptions.model_validate(options)).records()
    except ValidationError as error:  # a path that nobody can look at: a line of the YAML file
        raise ConfigError(error.errors()[0]["msg"]) from error


def _state(suffix: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        import torch
        from safetensors.torch import save_file

        state = {"a.weight": torch.eye(3), "a.bias": torch.ones(3)}
        path = folder / f"s{suffix}"
        if suffix == ".safetensors":
            save_file(state, path)
        else:
            torch.save(state, path, _use_new_zipfile_serialization=suffix == ".pth")

    return make


def _shipped(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for path in (CHECKPOINTS / name).iterdir():
            (folder / path.name).write_bytes(path.read_bytes())

    return make


def _tower(kind: Any) -> Callable[[Path], object]:
    return lambda folder: kind(FolderSource.model_validate({"folder": str(folder)}), OFFLINE, "own")


def _image(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def _tar(folder: Path) -> None:
    with tarfile.open(folder / "s.tar", "w") as archive:
        for i, name in enumerate(IDS):
            for suffix, content in (("png", _image(i)), ("json", b'{"prompt": "a cat"}')):
                member = tarfile.TarInfo(f"{name}.{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def _parquet(folder: Path) -> None:
    images = [{"bytes": _image(i), "path": None} for i in range(3)]
    table = pa.table({"image": images, "image_id": IDS, "text": ["a cat"] * 3})
    pq.write_table(table, folder / "s.parquet", row_group_size=2)


def _read_dataset(kind: Any, options: Any, name: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        dataset = kind(options(shards=(Location(folder / name, name),), broken=1.0))
        return [dataset.images().open(record.image_id) for record in dataset.records()]

    return read


def _read_captioner(folder: Path) -> object:
    return load_captioner(FolderCaptioner.model_validate({"folder": str(folder)}), OFFLINE)


def _read_run(folder: Path) -> object:
    run = load_run(folder)
    return run, run.images, run.examples, run.predictions(), run.predictions("member-0", "holdout")


_FILES = ("scores.json", "manifest.json", "experiment.yaml", "images.csv", "examples.json")
RUN = (*_FILES, "predictions/ensemble.test.parquet", "predictions/member-0.holdout.parquet")

READERS: dict[str, Reader] = {
    "run": Reader((*RUN, CHECKSUMS), _read_run, sealed=True),
    "older run": Reader(RUN, _read_run),
    "bank": Reader(("bank.safetensors", "prompts.json"), _read_bank, _bank),
    "head": Reader(("head.safetensors",), _read_head, _head),
    "phrases": Reader(("phrases.safetensors", "phrases.json"), _read_phrases, _phrases),
    "kernel": Reader(
        ("kernel.json",),
        lambda folder: Softmax().fitted(folder / "kernel.json"),
        lambda folder: (folder / "kernel.json").write_text('{"temperature": 20.5}'),
    ),
    **{
        f"predictions {format}": Reader(
            (f"p{suffix}",),
            lambda folder, suffix=suffix: read_predictions(folder / f"p{suffix}"),  # type: ignore[misc]  # bound on purpose
            _predictions(format),
        )
        for format, suffix in FORMATS.items()
    },
    **{
        f"table {suffix}": Reader(
            (f"t{suffix}",),
            lambda folder, suffix=suffix: read_prompts(folder / f"t{suffix}"),  # type: ignore[misc]  # bound on purpose
            _table(suffix),
        )
        for suffix in (".csv", ".tsv", ".jsonl", ".parquet")
    },
    "pairs": Reader(("pairs.csv",), _read_pairs, _pairs),
    "webdataset": Reader(("s.tar",), _read_dataset(WebDataset, WebDatasetOptions, "s.tar"), _tar),
    "parquet-images": Reader(
        ("s.parquet",),
        _read_dataset(ParquetImageTables, ParquetImagesOptions, "s.parquet"),
        _parquet,
    ),
    **{
        f"state {suffix}": Reader(
            (f"s{suffix}",),
            lambda folder, suffix=suffix: read_state(folder / f"s{suffix}", "own"),  # type: ignore[misc]  # bound on purpose
            _state(suffix),
        )
        for suffix in (".safetensors", ".pth", ".bin")
    },
    "CLIP": Reader(
        ("open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json"),
        _tower(ClipTowers),
        _shipped("clip-a"),
        slow=True,
    ),
    "vision": Reader(
        ("config.json", "preprocessor_config.json", "model.safetensors"),
        _tower(VisionTower),
        _shipped("vision-a"),
        slow=True,
    ),
    "timm": Reader(
        ("config.json", "model.safetensors"), _tower(TimmTower), _shipped("vision-b"), slow=True
    ),
    "captioner": Reader(
        ("config.json", "preprocessor_config.json", "tokenizer.json"),
        _read_captioner,
        _shipped("blip-a"),
        slow=True,
    ),
}
