"""A bank on disk: written in pieces of any size; whatever is wrong with it is one clear line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unprompt import DataError, OutputError, unit
from unprompt._data.space import TextSpace
from unprompt.bank.store import (
    BankBackbone,
    BankFilter,
    BankSource,
    StoredBank,
    halved,
    verify,
    writing_bank,
)

D, C, B = 12, 6, 25
SPACE = TextSpace(plugin="letters", identity="letters-1")
BACKBONE = BankBackbone(identity={"files": "1"}, source={"model": "x"}, dim=C, precision="float32")
SOURCE = BankSource(name="a.txt", kind="lines", sha256="0", read=B, kept=B)
RNG = np.random.default_rng(0)
TARGETS, KEYS = unit(RNG.normal(size=(B, D))), unit(RNG.normal(size=(B, C)))
TEXTS = [f"prompt {i}" for i in range(B)]
COUNTS = np.arange(1, B + 1)


def write(folder: Path, piece: int = B, shard_rows: int = 10, keys: bool = True) -> StoredBank:
    backbone = BACKBONE if keys else None
    with writing_bank(folder, SPACE, D, backbone, shard_rows=shard_rows) as bank:
        for start in range(0, B, piece):
            part = slice(start, start + piece)
            halves = halved(KEYS[part], "clip") if keys else None
            bank.add(TEXTS[part], COUNTS[part], halved(TARGETS[part], "letters"), halves)
        bank.close([SOURCE], [BankFilter(name="near", value=0.9, dropped=2)])
    return StoredBank.open(folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "bank"
    write(folder)
    return folder


@pytest.fixture
def bank(made: Path, tmp_path: Path) -> Path:
    """One to damage."""
    folder = tmp_path / "bank"
    shutil.copytree(made, folder)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("piece", [1, 7, 10, 24])
def test_pieces_change_no_byte(piece: int, made: Path, tmp_path: Path) -> None:
    write(tmp_path / "bank", piece)
    assert content(tmp_path / "bank") == content(made)


def test_what_is_read_is_what_was_written(made: Path) -> None:
    bank = StoredBank.open(made)
    assert len(bank) == B and bank.manifest.counted == COUNTS.sum()
    order = RNG.permutation(B)
    assert bank.texts(order) == [TEXTS[i] for i in order]
    np.testing.assert_array_equal(bank.counts(order), COUNTS[order])
    np.testing.assert_array_equal(bank.halves("keys", order), KEYS[order].astype(np.float16))
    np.testing.assert_array_equal(np.concatenate(bank.targets), TARGETS.astype(np.float16))
    parts = list(bank.prompts())
    assert [text for texts, _ in parts for text in texts] == TEXTS
    with pytest.raises(IndexError):
        bank.take("keys", [B])
    with pytest.raises(IndexError):
        bank.texts([-1])


def test_arrays_are_npy_files_and_prompts_a_table_with_their_row_numbers(made: Path) -> None:
    import pyarrow.parquet as pq

    rows = [np.load(path) for path in sorted(made.glob("shards/*/targets.npy"))]
    np.testing.assert_array_equal(np.concatenate(rows), TARGETS.astype(np.float16))
    tables = [pq.read_table(path) for path in sorted(made.glob("shards/*/prompts.parquet"))]
    numbers = [number for table in tables for number in table["prompt_id"].to_pylist()]
    assert numbers == list(range(B))


def test_a_bank_without_a_backbone_has_no_keys(tmp_path: Path) -> None:
    bank = write(tmp_path / "bank", keys=False)
    assert bank.keys == () and bank.manifest.backbone is None
    assert not list(tmp_path.rglob("keys.npy"))


def test_without_close_or_with_nothing_in_it_there_is_no_bank(tmp_path: Path) -> None:
    with writing_bank(tmp_path / "bank", SPACE, D) as bank:
        bank.add(TEXTS, COUNTS, halved(TARGETS, "letters"))
    with (
        pytest.raises(DataError, match="no prompt is left for a bank"),
        writing_bank(tmp_path / "bank", SPACE, D) as bank,
    ):
        bank.close([], [])
    assert list(tmp_path.iterdir()) == []


def test_rows_that_do_not_fit_are_a_bug(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fit"), writing_bank(tmp_path / "b", SPACE, D) as bank:
        bank.add(TEXTS, COUNTS, halved(TARGETS[1:], "letters"))


def test_verify_reads_every_byte(made: Path) -> None:
    files = [path for path in made.glob("shards/*/*") if path.name != "done.json"]
    assert verify(made) == sum(path.stat().st_size for path in files)


@pytest.mark.parametrize("name", ["keys.npy", "targets.npy", "prompts.parquet", "done.json"])
def test_a_flipped_bit_is_found_wherever_it_is(name: str, bank: Path) -> None:
    path = bank / "shards" / "00001" / name
    raw = bytearray(path.read_bytes())
    for place in (130, len(raw) // 2, len(raw) - 1):
        flipped = bytearray(raw)
        flipped[place] ^= 4
        path.write_bytes(flipped)
        with pytest.raises(DataError) as caught:
            verify(bank)
        assert caught.value.problems == (f"{path}: changed since manifest.json was written",)
    path.write_bytes(raw)
    verify(bank)


def test_a_flipped_bit_of_the_manifest_is_found(bank: Path) -> None:
    """Counts, names and models are in no other file."""
    path = bank / "manifest.json"
    raw = path.read_bytes()
    for place in range(len(raw)):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        with pytest.raises(DataError):
            verify(bank)
    path.write_bytes(raw.replace(b"a.txt", b"b.txt"))
    with pytest.raises(DataError) as caught:
        verify(bank)
    assert caught.value.problems == (f"{path}: changed since it was written",)
    assert StoredBank.open(bank).manifest.sources[0].name == "b.txt"  # which verify alone compares


def test_verify_names_every_damaged_file(bank: Path) -> None:
    (bank / "shards" / "00000" / "keys.npy").unlink()
    (bank / "shards" / "00002" / "targets.npy").write_bytes(b"short")
    with pytest.raises(DataError) as caught:
        verify(bank)
    one, two = caught.value.problems
    assert one.startswith(f"{bank}/shards/00000/keys.npy: cannot be read: no such file")
    assert two.startswith(f"{bank}/shards/00002/targets.npy: cut: 5 bytes, not ")


def cut(folder: Path) -> None:
    path = folder / "shards/00001/keys.npy"
    path.write_bytes(path.read_bytes()[:-2])


def replace_rows(rows: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        np.save(folder / "shards/00001/keys.npy", rows)
        edit(folder, sizes=True)

    return change


def edit(folder: Path, sizes: bool = False, **values: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text()) | values
    for shard in manifest["shards"] if sizes else ():
        for name, sums in shard["files"].items():
            sums["bytes"] = (folder / "shards" / shard["name"] / name).stat().st_size
    (folder / "manifest.json").write_text(json.dumps(manifest))


def edited(**values: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder, **values)


def removed(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (cut, "shards/00001/keys.npy: cut: 246 bytes, not 248"),
        (removed("shards/00001/prompts.parquet"), "shards/00001/prompts.parquet: no such file; "),
        (removed("manifest.json"), ": no manifest.json in it, so it is no bank"),
        (replace_rows(KEYS[:10]), "keys.npy: holds float32 of shape (10, 6); the manifest says"),
        (replace_rows(KEYS[:9].astype("f2")), "keys.npy: holds float16 of shape (9, 6); the "),
        (replace_rows(np.array([{}])), "keys.npy: holds object of shape (1,); the manifest says"),
        (
            replace_rows(np.asfortranarray(KEYS[:10].astype("f2"))),
            "keys.npy: holds columns one after the other, not rows",
        ),
        (edited(version=2), "manifest.json: of version 2; this program reads 1"),
        (edited(rows=24), "manifest.json: 24 rows, and 25 in its shards"),
        (edited(shards=[]), "manifest.json: 25 rows, and 0 in its shards"),
        (edited(target_dim=11), "targets.npy: holds float16 of shape (10, 12); the manifest says"),
        (edited(dtype="float64"), "manifest.json: dtype: Input should be 'float16'"),
        (edited(backbone=None), "manifest.json: shards.0: is not 00000 with its files"),
    ],
)
def test_a_damaged_bank_is_one_line(damage: Callable[[Path], None], line: str, bank: Path) -> None:
    damage(bank)
    with pytest.raises(DataError) as caught:
        StoredBank.open(bank)
    (said,) = caught.value.problems
    assert said.startswith(str(bank)) and line in said


ID, NOT_TEXT = [0] * 10, pa.array([b"\xff"] * 10, pa.binary())


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        ({"text": TEXTS[:10]}, "damaged: has no column count of int64"),
        ({"text": ID, "count": ID}, "damaged: has no column text of string"),
        ({"text": TEXTS[:10], "count": [0.5] * 10}, "damaged: has no column count of int64"),
        ({"text": [*TEXTS[:9], None], "count": [1] * 10}, "damaged: column text has nulls"),
        ({"text": TEXTS[:10], "count": [*[1] * 9, -5]}, "damaged: a count is below 1"),
        ({"text": TEXTS[:9], "count": [1] * 9}, "9 prompts, not 10"),
        ({"text": TEXTS[:11], "count": [1] * 11}, "11 prompts, not 10"),
        (
            {"text": NOT_TEXT.view(pa.string()), "count": [1] * 10},
            "cannot be read: Column 0: In chunk 0: Invalid: Invalid UTF8 sequence",
        ),
    ],
)
def test_prompts_of_another_table_are_one_line(
    columns: dict[str, Any], line: str, bank: Path
) -> None:
    path = bank / "shards" / "00001" / "prompts.parquet"
    pq.write_table(pa.table({"prompt_id": [0] * len(columns["text"]), **columns}), path)
    edit(bank, sizes=True)
    opened = StoredBank.open(bank)
    reads: tuple[Callable[[], object], ...] = (
        lambda: list(opened.prompts()),
        lambda: opened.text(19),
        lambda: opened.counts([10]),
    )
    for read in reads:
        with pytest.raises(DataError) as caught:
            read()
        assert caught.value.problems[0].startswith(f"{path}: {line}")


def test_garbage_in_the_place_of_files(bank: Path) -> None:
    (bank / "shards/00001/keys.npy").write_bytes(b"\0" * 248)
    with pytest.raises(DataError, match=r"keys\.npy: cut or damaged: no header of an npy file"):
        StoredBank.open(bank)
    path = bank / "shards/00000/prompts.parquet"
    path.write_bytes(b"\0" * path.stat().st_size)
    shutil.copy(bank / "shards/00000/keys.npy", bank / "shards/00001/keys.npy")
    opened = StoredBank.open(bank)
    with pytest.raises(DataError, match=r"prompts\.parquet: cannot be read: "):
        opened.texts([0])


@pytest.mark.parametrize("read", [StoredBank.open, verify])
def test_what_is_no_bank(read: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing: no such folder"):
        read(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file: is no folder, so it is no bank"):
        read(tmp_path / "file")
    (tmp_path / "begun" / ".building").mkdir(parents=True)
    with pytest.raises(DataError, match="begun: an unfinished bank"):
        read(tmp_path / "begun")


def test_a_taken_name_is_refused(bank: Path) -> None:
    before = content(bank)
    with pytest.raises(OutputError, match="bank: exists already"):
        write(bank)
    assert content(bank) == before


def test_rows_are_checked_before_they_are_halved() -> None:
    rows = TARGETS.copy()
    rows[3] = np.nan
    with pytest.raises(DataError, match=r"^clip: gave 1 of 25 rows that are not finite$"):
        halved(rows, "clip")
    with pytest.raises(DataError, match=r"^clip: gave 25 of 25 rows that are not unit length"):
        halved(2 * TARGETS, "clip")
