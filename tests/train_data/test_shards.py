"""Training on shards: from any process, block by block, damaged members counted."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unprompt import Dataset, DatasetSpec
from unprompt._registry.plugins import Registry
from unprompt.errors import DataError
from unprompt.towers.sources import PreprocessConfig
from unprompt.train.broken import Broken, BrokenSamples
from unprompt.train.loader import loader
from unprompt.train.order import epoch_order, picks, share
from unprompt.train.pixels import Pixels
from unprompt.train.samples import Samples

from .conftest import noise
from .test_augment import steps

COUNT, PER_SHARD = 24, 8
CORRUPT = 10


def file_of(row: int) -> bytes:
    """A PNG of a size of its own; one of them is damaged behind its header."""
    file = io.BytesIO()
    noise(row, 20 + row, 45 - row).save(file, "png")
    content = bytearray(file.getvalue())
    if row == CORRUPT:
        content[60:200] = bytes(140)
    return bytes(content)


def tars(folder: Path) -> str:
    for start in range(0, COUNT, PER_SHARD):
        with tarfile.open(folder / f"{start:02}.tar", "w") as archive:
            for row in range(start, start + PER_SHARD):
                for suffix, content in (("png", file_of(row)), ("txt", b"a cat %d" % row)):
                    member = tarfile.TarInfo(f"{row:02}.{suffix}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
    return str(folder / "*.tar")


def tables(folder: Path) -> str:
    rows = range(COUNT)
    images = pa.array([{"bytes": file_of(row), "path": None} for row in rows])
    table = pa.table({"image": images, "text": [f"a cat {row}" for row in rows]})
    pq.write_table(table, folder / "s.parquet", row_group_size=PER_SHARD)
    return str(folder / "s.parquet")


@pytest.fixture(scope="module", params=["webdataset", "parquet-images"])
def samples(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Samples:
    write = {"webdataset": tars, "parquet-images": tables}[request.param]
    spec = Registry().spec(request.param, DatasetSpec)
    options = spec.options.model_validate({"shards": write(tmp_path_factory.mktemp("shards"))})
    dataset: Dataset = Registry().build(spec, options)
    preprocess = PreprocessConfig(size=16, mean=(0.5,) * 3, std=(0.5,) * 3).transform()
    pixels = Pixels.measured(preprocess)
    return Samples(dataset.images(), preprocess, pixels, seed=1, augment=steps("crop", "shift"))


def asked(samples: Samples, epoch: int) -> list[list[tuple[int, int]]]:
    blocks = samples.images.blocks()
    assert blocks == (PER_SHARD,) * (COUNT // PER_SHARD)
    order = epoch_order(COUNT, 3, epoch, blocks=blocks, buffer=4)
    assert sorted(order.tolist()) == list(range(COUNT))
    assert len(set((order[:4] // PER_SHARD).tolist())) == 1, "one block at a time"
    return picks(epoch, share(order, 0, 1, 6))


def test_what_a_worker_process_is_sent_opens_the_same(samples: Samples) -> None:
    import torch

    sent = pickle.loads(pickle.dumps(samples.opener))
    for row, image_id in enumerate(samples.images.ids):
        opened, again = samples.opener.open(image_id), sent.open(image_id)
        if isinstance(opened, Broken):
            assert (opened, row) == (again, CORRUPT)
            continue
        changed = samples[2, row]
        assert isinstance(changed, torch.Tensor)
        assert torch.equal(opened, again)
        assert torch.equal(changed, sent.change(again, 2, row))


def test_a_damaged_member_is_named_and_the_others_are_taken(samples: Samples) -> None:
    batches = list(loader(samples, asked(samples, 0), 0))
    (damaged,) = (item for batch in batches for item in batch.broken)
    assert damaged.image_id.endswith(f"/{CORRUPT}")
    assert ": cannot be read as an image: " in damaged.reason
    rows = np.concatenate([batch.rows.numpy() for batch in batches])
    assert sorted(rows.tolist()) == [row for row in range(COUNT) if row != CORRUPT]


def test_a_damaged_member_is_counted_until_there_are_too_many(samples: Samples) -> None:
    count = BrokenSamples(0.1, COUNT)
    lines = []
    for batch in loader(samples, asked(samples, 1), 0):
        lines += count.add(len(batch.rows) + len(batch.broken), batch.broken)
    assert len(lines) == 1
    assert count.summary().startswith(f"1 of {COUNT} samples cannot be opened")
    strict = BrokenSamples(0.01, COUNT)
    with pytest.raises(DataError, match=r"more than the share of 0\.01"):
        for batch in loader(samples, asked(samples, 1), 0):
            strict.add(len(batch.rows) + len(batch.broken), batch.broken)
