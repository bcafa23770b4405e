"""Approximate indexes of banks on disk: made and measured by a command, used on request."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
from tests.full_disk import no_file_above

from unprompt import ConfigError, DataError, OutputError
from unprompt._data.space import TextSpace
from unprompt._files.workplace import workplace
from unprompt.bank import BankConfig, BankOnDisk, StoredBank, index_bank, remove_index, verify
from unprompt.bank.search import search_exact
from unprompt.bank.store import BankBackbone, BankSource, writing_bank
from unprompt.contracts import Runtime
from unprompt.types import FloatArray
from unprompt_knn.options import KnnOptions
from unprompt_text_map.options import TextMapOptions

Command = Callable[..., CompletedProcess[str]]

ROWS, C, D = 1_200, 48, 24
FACTORY = "IVF16,RaBitQ4"


def unit_rows(count: int, width: int, seed: int) -> FloatArray:
    rows = np.random.default_rng(seed).normal(size=(count, width))
    unit: FloatArray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "bank"
    backbone = BankBackbone(identity={"a": 1}, source={"model": "a"}, dim=C, precision="float32")
    space = TextSpace(plugin="words", identity="words")
    with writing_bank(folder, space, D, backbone, shard_rows=500) as bank:
        keys, targets = (unit_rows(ROWS, width, 1).astype(np.float16) for width in (C, D))
        bank.add([f"prompt {i}" for i in range(ROWS)], [1] * ROWS, targets, keys)
        source = BankSource(name="x", kind="lines", sha256="0", read=ROWS, kept=ROWS)
        bank.close([source], [])
    return folder


@pytest.fixture(scope="module")
def indexed(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexed") / "bank"
    shutil.copytree(plain, folder)
    index_bank(folder, FACTORY, count=10)
    return folder


@pytest.fixture
def own(indexed: Path, tmp_path: Path) -> Path:
    """To be changed."""
    return Path(shutil.copytree(indexed, tmp_path / "bank"))


def test_an_index_is_in_the_manifest_and_changes_nothing_else(plain: Path, indexed: Path) -> None:
    before, after = StoredBank.open(plain).manifest, StoredBank.open(indexed).manifest
    (index,) = after.indexes
    assert index.factory == FACTORY and set(index.parts) == {"keys", "targets"}
    for about in index.parts.values():
        assert (about.quality.queries, about.quality.count) == (1_000, 10)
        assert about.quality.recall >= 0.99
        assert about.quality.milliseconds > 0
    assert after.identity == before.identity
    assert after.model_copy(update={"indexes": ()}) == before
    files = {path.relative_to(indexed) for path in indexed.rglob("*") if path.is_file()}
    known = {path.relative_to(plain) for path in plain.rglob("*") if path.is_file()}
    assert {path.parent.name for path in files - known} == {"indexes"}
    assert len(files - known) == 2
    assert verify(indexed) - verify(plain) == sum(about.bytes for about in index.parts.values())


def on_disk(folder: Path, **more: Any) -> BankOnDisk:
    config = BankConfig.model_validate({"folder": str(folder), **more})
    bank = config.on_disk(None, None, Runtime())
    assert bank is not None
    return bank


def test_a_member_searches_by_it_and_says_so(
    own: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    exact = on_disk(own)
    queries = exact.keys[np.arange(0, ROWS, 40)]
    expected = exact.search_keys(queries, 5)
    near = [
        [piece.text for piece in line] for line in exact.nearest(exact.targets[np.arange(9)], 2)
    ]

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("an index was asked for")

    monkeypatch.setattr("unprompt.bank.search.search_exact", never)
    monkeypatch.setattr("unprompt.bank.search.approximate.search_exact", never)
    bank = on_disk(own, index=FACTORY)
    with caplog.at_level(logging.WARNING, logger="unprompt"):
        cosines, rows = bank.search_keys(queries, 5)
        bank.search_keys(queries, 5)
    (line,) = [record.getMessage() for record in caplog.records]
    quality = bank.stored.manifest.indexes[0].parts["keys"].quality
    assert line == f"{own}: keys are searched approximately: index {FACTORY}: {quality}"
    same = rows == expected[1]
    assert same.mean() > 0.95
    np.testing.assert_array_equal(cosines[same], expected[0][same])
    found = [
        [piece.text for piece in line] for line in bank.nearest(exact.targets[np.arange(9)], 2)
    ]
    assert sum(a == b for a, b in zip(found, near, strict=True)) >= 8


def test_cached_results_know_of_the_index(indexed: Path) -> None:
    def identity(**more: Any) -> Any:
        return BankConfig.model_validate({"folder": str(indexed), **more}).identity(Runtime())

    assert identity() != identity(index=FACTORY)
    assert identity(index=FACTORY) == identity(index=FACTORY, recall=0.5)


def test_low_recall_is_refused_unless_allowed(own: Path) -> None:
    bank = index_bank(own, "IVF64,SQ4", count=5, recall=0)
    about = bank.manifest.indexes[-1].parts["keys"]
    assert about.quality.recall < 0.99  # one list of 64 was searched
    refused = rf"^{own}: keys: index IVF64,SQ4: recall@5 0\.\d+ .*; that is below recall 0\.99, "
    with pytest.raises(DataError, match=refused):
        on_disk(own, index="IVF64,SQ4")
    worst = min(part.quality.recall for part in bank.manifest.indexes[-1].parts.values())
    low = on_disk(own, index="IVF64,SQ4", recall=worst)
    assert low.search_keys(low.keys[np.arange(3)], 4)[1].shape == (3, 4)
    assert [index.factory for index in bank.manifest.indexes] == [FACTORY, "IVF64,SQ4"]


def test_an_index_that_is_not_there(own: Path) -> None:
    expected = (
        rf"^{own}: no index 'HNSW8' \(has {FACTORY}\); `unprompt bank index {own} HNSW8` makes it$"
    )
    with pytest.raises(DataError, match=expected):
        on_disk(own, index="HNSW8")
    with pytest.raises(DataError, match=r"no index 'HNSW8' \(has IVF"):
        remove_index(own, "HNSW8")
    assert remove_index(own, FACTORY).manifest.indexes == ()
    assert not (own / "indexes").exists()
    with pytest.raises(DataError, match=r"no index 'IVF16,RaBitQ4' \(has none\)"):
        on_disk(own, index=FACTORY)


def test_an_index_is_replaced_and_never_written_over(own: Path) -> None:
    before = {path.name for path in (own / "indexes").iterdir()}
    (own / "indexes" / "keys.new").write_bytes(b"what a killed process left")
    again = index_bank(own, FACTORY, count=7, recall=0)
    (index,) = again.manifest.indexes
    assert index.parts["keys"].quality.count == 7
    names = {path.name for path in (own / "indexes").iterdir()}
    assert len(names) == len(before) == 2
    assert verify(own) > 0


@pytest.mark.parametrize("what", ["keys", "targets"])
def test_a_damaged_index(what: str, own: Path) -> None:
    (path,) = (own / "indexes").glob(f"{what}-*.faiss")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{path.name}: changed since manifest\.json was written"):
        verify(own)
    bank = on_disk(own, index=FACTORY)
    query = bank.keys[np.arange(2)], bank.targets[np.arange(2)]
    with pytest.raises(DataError, match=rf"{path.name}: cut or changed since the index was made"):
        bank.search_keys(query[0], 2) if what == "keys" else bank.nearest(query[1], 2)
    assert on_disk(own).search_keys(query[0], 2)[1][:, 0].tolist() == [0, 1]  # exact search goes on


def test_an_index_of_another_bank(plain: Path, own: Path) -> None:
    with pytest.raises(DataError, match=r"indexes\.0: is not of keys and targets"):
        manifest = json.loads((own / "manifest.json").read_text())
        del manifest["indexes"][0]["parts"]["keys"]
        (own / "manifest.json").write_text(json.dumps(manifest))
        StoredBank.open(own)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"factory": "IVF4,nonsense"}, "index 'IVF4,nonsense': faiss refuses it: "),
        ({"factory": ""}, "index '': faiss refuses it: "),
        ({"factory": "IVF4000,Flat"}, "index 'IVF4000,Flat': faiss refuses it: "),
        ({"count": 0}, "--count: should be at least 1, got 0"),
        ({"recall": 1.5}, "--recall: should be from 0 to 1, got 1.5"),
    ],
)
def test_a_mistake_leaves_the_bank_as_it_was(given: dict[str, Any], line: str, own: Path) -> None:
    before = {path: path.read_bytes() for path in own.rglob("*") if path.is_file()}
    with pytest.raises((ConfigError, DataError)) as caught:
        index_bank(own, **{"factory": "IVF8,Flat", **given})
    assert len(caught.value.problems) == 1 and caught.value.problems[0].startswith(line)
    assert {path: path.read_bytes() for path in own.rglob("*") if path.is_file()} == before


def test_a_full_disk_leaves_the_bank_as_it_was(plain: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(plain, tmp_path / "bank"))
    refused = pytest.raises(OutputError, match=r"keys\.new: cannot be written: file too large")
    with refused, no_file_above(50_000):  # keys: 57,600 bytes of SQ8
        index_bank(own, "SQ8")
    assert sorted(path.name for path in own.iterdir()) == ["manifest.json", "shards"]
    assert StoredBank.open(own).manifest == StoredBank.open(plain).manifest


def test_a_disk_without_any_room_leaves_the_bank_as_it_was(plain: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(plain, tmp_path / "bank"))
    with pytest.raises(OutputError, match="cannot be written"), no_file_above(0):
        index_bank(own, "SQ8")
    assert sorted(path.name for path in own.iterdir()) == ["manifest.json", "shards"]


def test_what_killed_processes_left_goes_with_an_index(own: Path) -> None:
    with workplace(own / "indexes") as work:
        shutil.copytree(work.folder, own / "indexes" / ".unprompt-0123456789abcdef.part")
    (own / "indexes" / "keys.new").touch()
    remove_index(own, FACTORY)
    assert sorted(path.name for path in own.iterdir()) == ["manifest.json", "shards"]


def test_one_process_at_a_time(own: Path) -> None:
    import fcntl
    import os

    handle = os.open(own, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="another process makes an index of this bank"):
            index_bank(own, "SQ8")
    finally:
        os.close(handle)


@pytest.mark.parametrize(
    ("bank", "line"),
    [
        ({"prompts": "a.csv", "index": FACTORY}, "has no effect without `folder`"),
        ({"folder": "a", "recall": 0.5}, "has no effect without `index`"),
        ({"folder": "a", "index": FACTORY, "recall": 1.5}, "less than or equal to 1"),
    ],
)
def test_options_that_do_not_fit(bank: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        BankConfig.model_validate(bank)


def test_members_that_search_no_index() -> None:
    bank = {"folder": "a", "index": FACTORY}
    backbone = {"folder": "a"}
    with pytest.raises(ValueError, match="has no effect with `center`, which changes every key"):
        KnnOptions.model_validate({"backbone": backbone, "bank": bank, "center": True})
    with pytest.raises(ValueError, match="has no effect here: a map is fitted to all rows"):
        TextMapOptions.model_validate({"backbone": backbone, "bank": bank})


def test_exact_scores_are_the_bank_s_own(own: Path) -> None:
    bank = StoredBank.open(own)
    queries = unit_rows(20, C, 9)
    got = on_disk(own, index=FACTORY).search_keys(queries, 3)
    truth = search_exact(queries, bank.keys, 3)
    same = got[1] == truth.rows
    assert same.mean() > 0.8
    np.testing.assert_array_equal(got[0][same], truth.cosines[same])


def test_commands(plain: Path, unprompt: Command, tmp_path: Path) -> None:
    own = Path(shutil.copytree(plain, tmp_path / "bank"))
    done = unprompt("bank", "index", own, FACTORY, "-k", "5", "--recall", "0.5")
    assert done.returncode == 0, done.stderr
    quality = StoredBank.open(own).manifest.indexes[0].parts["keys"].quality
    assert f"keys: {quality}\n" in done.stderr and "WARNING" not in done.stderr
    shown = unprompt("bank", "info", own, "--verify")
    assert f"index of keys {C} " in " ".join(shown.stdout.split())
    assert f"{FACTORY}, recall@5 {quality.recall:.4f}" in shown.stdout
    assert "in 3 shards and 2 indexes are as written" in shown.stderr
    for words in (["index", own, "no,such"], ["search", own, "a", "--index", "HNSW8"]):
        failed = unprompt("bank", *words)
        assert (failed.returncode, failed.stderr.count("\n")) == (2, 1), failed.stderr
    removed = unprompt("bank", "index", own, FACTORY, "--remove")
    assert (removed.returncode, "index of" in removed.stdout) == (0, False)
