"""What `unprompt score` says of predictions whose prompts were read from files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import unprompt as package

Command = Callable[..., CompletedProcess[str]]
PROMPTS = {"a": "a red cat", "b": "two boats", "c": "snow on the moon", "d": "a steam engine"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The true prompts."""
    path = tmp_path / "prompts.csv"
    lines = "".join(f"{name},{prompt}\n" for name, prompt in PROMPTS.items())
    path.write_text(f"image_id,prompt\n{lines}")
    return path


def lines(*origins: str | None) -> list[dict[str, object]]:
    """Predictions of all images, by the axes of the space, with these origins."""
    rows = np.eye(384)
    return [
        {"image_id": name, "embedding": rows[i].tolist()}
        | ({} if origin is None else {"origin": origin})
        for i, (name, origin) in enumerate(zip(PROMPTS, origins, strict=True))
    ]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_the_others_are_scored_apart(
    unprompt: Command, tmp_path: Path, table: Path, suffix: str
) -> None:
    path, rows = tmp_path / f"p.{suffix}", lines("read", "predicted", "read", "none")
    if suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    result = package.score(path, table)
    alone = package.score(
        package.Embeddings(("b", "d"), np.eye(384, dtype=np.float32)[[1, 3]]),
        {name: PROMPTS[name] for name in ("b", "d")},
    )
    assert (result.read, result.images) == (2, 4)
    # A text's row may depend on the other texts of a call to 1e-5.
    assert result.predicted and result.predicted.score == pytest.approx(alone.score, abs=1e-5)
    done = unprompt("score", path, table, "--quiet")
    assert (
        "caution: 2 of 4 prompts were read from files (origin), which is no prediction; the others "
        f"score {alone.score:.6f}"
    ) in done.stderr.splitlines()


@pytest.mark.parametrize(("origin", "read"), [(None, 0), ("predicted", 0), ("read", 4)])
def test_where_all_are_alike_nothing_is_split(
    unprompt: Command, tmp_path: Path, table: Path, origin: str | None, read: int
) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in lines(*[origin] * 4)))
    result = package.score(path, table)
    assert (result.read, result.predicted) == (read, None)
    assert ("read from files" in unprompt("score", path, table, "--quiet").stderr) == bool(read)


def test_another_word_is_no_origin(unprompt: Command, tmp_path: Path, table: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(
        "".join(json.dumps(row) + "\n" for row in lines("read", "guess", "read", "read"))
    )
    done = unprompt("score", path, table, "--quiet")
    assert done.returncode == 2
    assert done.stderr == f"{path}: row 2: column 'origin' holds 'guess', no origin\n"
