"""Reads small files that declare gigabytes; prints how each of them ended. Run by test_huge.py.

The address space is limited, so that a reader that believes them fails instead of swapping.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from unprompt import Runtime, UnpromptError
from unprompt._data.predictions import read_predictions
from unprompt._data.prompts import read_prompts
from unprompt._files.reading import read_json, read_text
from unprompt.bank import PromptBank
from unprompt.towers import ClipTowers, FolderSource, TimmTower, VisionTower
from unprompt.towers.state import read_state
from unprompt_blip.caption_models import load as load_captioner
from unprompt_blip.sources import FolderCaptioner
from unprompt_painter import __file__ as painter

CHECKPOINTS = Path(painter).parent / "checkpoints"
OFFLINE = Runtime(offline=True)
GIB = 1 << 30
ROOM = 6 * GIB
"""Of address space for all cases together; libraries keep some of it reserved."""


def sparse(path: Path, start: bytes, size: int) -> Path:
    """A file of ``size`` bytes that begins with ``start`` and takes no room on disk."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)
    return path


def repeated(path: Path, column: str) -> Path:
    """A Parquet file in which one long value is repeated to gigabytes."""
    once = pa.array(["x" * 400_000])
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), once)
    ids = pa.array(map(str, range(20_000)))
    pq.write_table(pa.table({"image_id": ids, column: values}), path, store_schema=False)
    return path


def zeros(path: Path) -> Path:
    """Predictions of zeros: hundreds of millions of numbers in a small file."""
    schema = pa.schema({"image_id": pa.string(), "embedding": pa.list_(pa.float32())})
    with pq.ParquetWriter(path, schema) as writer:
        flat = pa.array(np.zeros(100 * 100_000, np.float32))
        rows = pa.ListArray.from_arrays(np.arange(101, dtype=np.int32) * 100_000, flat)
        for group in range(30):
            ids = pa.array([f"{group}-{i}" for i in range(100)])
            writer.write_table(pa.table({"image_id": ids, "embedding": rows}, schema))
    return path


def bomb(path: Path) -> Path:
    """An archive whose entry becomes gigabytes."""
    archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
    with archive, archive.open("archive/data.pkl", "w", force_zip64=True) as entry:
        for _ in range(64):
            entry.write(bytes(1 << 24))
    return path


def changed(folder: Path, name: str, file: str, **values: Any) -> Path:
    """A shipped tower with other values in its configuration, on the second level too."""
    folder.mkdir()
    for path in (CHECKPOINTS / name).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    content = json.loads((folder / file).read_text())
    for key, value in values.items():
        *above, last = key.split("__")
        place = content
        for part in above:
            place = place[part]
        place[last] = value
    (folder / file).write_text(json.dumps(content))
    return folder


def tower(kind: Any) -> Callable[[Path], object]:
    """Loads a tower from a folder."""
    return lambda folder: kind(FolderSource.model_validate({"folder": str(folder)}), OFFLINE, "own")


def captioner(folder: Path) -> object:
    """Loads a captioner from a folder."""
    return load_captioner(FolderCaptioner.model_validate({"folder": str(folder)}), OFFLINE)


def bank(folder: Path, prompts: bytes) -> Path:
    """A bank with other prompts."""
    folder.mkdir()
    rows = np.ones((1, 1), np.float32)
    PromptBank.of(["a"], rows, rows).save(folder)
    (folder / "prompts.json").write_bytes(prompts)
    return folder


def cases(at: Path) -> list[tuple[Callable[[Path], object], Path]]:
    """Readers with what they are to read."""
    import torch

    pth = at / "views.pth"
    torch.save({"a": torch.zeros(1).half().expand(1 << 20, 1 << 20)}, pth)
    clip, vision = tower(ClipTowers), tower(VisionTower)
    config, wide = "config.json", {"hidden_size": 6 << 14, "intermediate_size": 1 << 18}
    open_clip = "open_clip_config.json"
    return [
        (read_text, sparse(at / "a.txt", b"", 3 * GIB)),
        (lambda path: read_json(path, dict), sparse(at / "a.json", b"{", 3 * GIB)),
        (lambda path: read_json(path, dict), sparse(at / "b.json", b"{", GIB // 2)),
        (read_prompts, sparse(at / "a.csv", b"image_id,prompt\n", 3 * GIB)),
        (read_prompts, sparse(at / "a.jsonl", b"{", 3 * GIB)),
        (read_prompts, repeated(at / "a.parquet", "prompt")),
        (read_predictions, zeros(at / "z.parquet")),
        (read_predictions, repeated(at / "p.parquet", "embedding")),
        (read_predictions, sparse(at / "p.jsonl", b'{"image_id": "a"', 3 * GIB)),
        (read_predictions, sparse(at / "p.npy", b"\x93NUMPY\x01\x00", 3 * GIB)),
        (lambda path: read_state(path, "own"), pth),
        (lambda path: read_state(path, "own"), bomb(at / "bomb.pth")),
        (lambda path: read_state(path, "own"), sparse(at / "z.safetensors", b"", 3 * GIB)),
        (PromptBank.read, bank(at / "deep", b"[" * (64 << 20))),
        (PromptBank.read, bank(at / "digits", b"[" + b"9" * (64 << 20) + b"]")),
        (vision, changed(at / "v1", "vision-a", config, **wide)),
        (vision, changed(at / "v2", "vision-a", config, num_hidden_layers=10**9)),
        (vision, changed(at / "v3", "vision-a", config, hidden_size=6 << 38)),
        (vision, changed(at / "v4", "vision-a", config, image_size=1 << 24)),
        (clip, changed(at / "c1", "clip-a", open_clip, model_cfg__embed_dim=1 << 36)),
        (clip, changed(at / "c2", "clip-a", open_clip, model_cfg__text_cfg__width=6 << 15)),
        (clip, changed(at / "c3", "clip-a", open_clip, model_cfg__text_cfg__layers=10**9)),
        (clip, changed(at / "c4", "clip-a", open_clip, model_cfg__text_cfg__vocab_size=1 << 33)),
        (captioner, changed(at / "b1", "blip-a", config, text_config__vocab_size=1 << 33)),
        (captioner, changed(at / "b2", "blip-a", config, text_config__num_hidden_layers=10**9)),
        (
            tower(TimmTower),
            changed(at / "t1", "vision-b", config, model_args={"embed_dim": 1 << 20}),
        ),
    ]


def main(at: Path) -> None:
    """Read all of them, one after another."""
    made = cases(at)
    # Libraries load more when they are first used, and are not what is measured.
    for kind, name in ((ClipTowers, "clip-a"), (VisionTower, "vision-a"), (TimmTower, "vision-b")):
        tower(kind)(CHECKPOINTS / name)
    captioner(CHECKPOINTS / "blip-a")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for read, path in made:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        problems: tuple[str, ...] = ("it was read",)
        try:
            read(path)
        except UnpromptError as error:
            problems = error.problems
        except Exception as error:
            raise RuntimeError(f"{path}") from error
        result = {
            "path": str(path),
            "problems": problems,
            "seconds": time.perf_counter() - start,
            "more_bytes": 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before),
        }
        print(json.dumps(result), flush=True)  # noqa: T201  # read by the test


if __name__ == "__main__":
    main(Path(sys.argv[1]))
