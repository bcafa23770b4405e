"""Imports of embeddings that exist: copied bit for bit, or refused with one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unprompt import ConfigError, DataError, OutputError, UnpromptError, unit
from unprompt._cli.bank import bank_table
from unprompt._data.space import TextSpace
from unprompt.bank.importing import import_folder
from unprompt.bank.store import BankBackbone, StoredBank, verify
from unprompt.types import FloatArray

C, D = 6, 5
SPACE = TextSpace(plugin="letters", identity="letters-1")
BACKBONE = BankBackbone(
    identity={"files": "1"}, source={"model": "ViT-H-14"}, dim=C, precision="float32"
)
Edit = Callable[[Path], object]


def rows_of(count: int, dim: int, seed: int) -> FloatArray:
    return unit(np.random.default_rng(seed).normal(size=(count, dim)))


def letters(dim: int) -> Callable[[Sequence[str]], FloatArray]:
    """An encoder: a text's row depends on its letters only."""

    def encode(texts: Sequence[str]) -> FloatArray:
        return np.concatenate(
            [rows_of(1, dim, int.from_bytes(text.encode()[-8:]) + 1) for text in texts]
        )

    return encode


def import_into(folder: Path, kind: str, **options: Any) -> StoredBank:
    output = folder.with_name("bank")
    usual = {"encode": letters(D), "pair_by_position": True, "shard_rows": 4}
    import_folder(
        folder,
        output,
        kind=kind,  # type: ignore[arg-type]
        text_encoder=SPACE,
        target_dim=D,
        backbone=BACKBONE,
        **{**usual, **options},
    )
    verify(output)
    return StoredBank.open(output)


def problem(folder: Path, kind: str, **options: Any) -> str:
    """The one line, without the folder; nothing is left behind."""
    before = sorted(folder.parent.iterdir())
    with pytest.raises(UnpromptError) as caught:
        import_into(folder, kind, **options)
    assert sorted(folder.parent.iterdir()) == before
    assert len(caught.value.problems) == 1
    return caught.value.problems[0].replace(f"{folder}/", "").replace(str(folder), "FOLDER")


# Pairs of npy files


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Two sets, of 3 + 4 and 2 rows."""
    folder = tmp_path / "sets"
    for name, sizes in {"ddb": (3, 4), "coco": (2,)}.items():
        for part, size in enumerate(sizes):
            for below, stem, dim, seed in (
                ("vith14", "prompt_embedding_vith14", C, 10),
                ("all_minilm_l6_v2", "prompt_embeddings_allminilm", D, 20),
            ):
                (folder / name / below).mkdir(parents=True, exist_ok=True)
                rows = rows_of(size, dim, seed + len(name) + part).astype(np.float16)
                np.save(folder / name / below / f"{stem}_{part:03d}.npy", rows)
    return folder


def loaded(folder: Path, below: str) -> npt.NDArray[np.float16]:
    """All rows of all sets by name."""
    return np.concatenate([np.load(path) for path in sorted(folder.glob(f"*/{below}/*.npy"))])


def test_pairs_are_copied_bit_for_bit(pairs: Path) -> None:
    bank = import_into(pairs, "shard-pairs")
    np.testing.assert_array_equal(np.concatenate(bank.keys), loaded(pairs, "vith14"))
    np.testing.assert_array_equal(np.concatenate(bank.targets), loaded(pairs, "all_minilm_l6_v2"))
    assert [(s.name, s.read, s.pairing) for s in bank.manifest.sources] == [
        ("coco", 2, "position"),
        ("ddb", 7, "position"),
    ]
    assert bank.manifest.counted == 9 and bank.texts(range(9)) == [""] * 9
    assert bank.manifest.backbone == BACKBONE


def test_a_set_may_be_named_itself_and_its_folder_written_in_another_way(pairs: Path) -> None:
    folder = pairs / "ddb"
    (folder / "all_minilm_l6_v2").rename(folder / "all-MiniLM-L6-v2")
    assert len(import_into(folder, "shard-pairs")) == 7


def test_rows_of_32_bits_are_rounded_and_others_normalised(pairs: Path) -> None:
    path = pairs / "coco" / "vith14" / "prompt_embedding_vith14_000.npy"
    rows = rows_of(2, C, 1)
    np.save(path, np.asfortranarray(rows))
    bank = import_into(pairs, "shard-pairs")
    np.testing.assert_array_equal(bank.halves("keys", [0, 1]), rows.astype(np.float16))
    np.save(path, rows * np.float32(7.5))
    bank.folder.rename(bank.folder.with_name("first"))
    assert problem(pairs, "shard-pairs").endswith(
        "_000.npy: row 1 has length 7.5, not 1: --normalise divides each row by its length"
    )
    bank = import_into(pairs, "shard-pairs", normalise=True)
    np.testing.assert_allclose(bank.halves("keys", [0, 1]), rows, atol=5e-4)


def test_pairing_by_position_is_never_assumed(pairs: Path) -> None:
    assert problem(pairs, "shard-pairs", pair_by_position=False) == (
        "FOLDER: its rows have no ids, so that keys and targets can be paired by position only; "
        "--pair-by-position says that both are in the same order"
    )


def test_one_of_several_folders_of_keys_is_named(pairs: Path) -> None:
    for name in ("ddb", "coco"):
        (pairs / name / "vitg14").mkdir()
        for path in (pairs / name / "vith14").iterdir():
            rows = np.load(path)
            np.save(pairs / name / "vitg14" / path.name, rows[:, ::-1])
    line = "coco: has several folders of keys, 'vitg14', 'vith14': --keys NAME says which one"
    assert problem(pairs, "shard-pairs") == line
    assert problem(pairs, "shard-pairs", keys="vitl14") == (
        "coco: no folder vitl14 of .npy files; has 'vitg14', 'vith14'"
    )
    bank = import_into(pairs, "shard-pairs", keys="vitg14")
    np.testing.assert_array_equal(np.concatenate(bank.keys), loaded(pairs, "vith14")[:, ::-1])


KEYS, TARGETS = "vith14/prompt_embedding_vith14_001.npy", "all_minilm_l6_v2"
TWIN = f"{TARGETS}/prompt_embeddings_allminilm_001.npy"


def saved(edit: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Edit:
    return lambda path: np.save(path, edit(np.load(path)), allow_pickle=True)


def with_value(value: float) -> Edit:
    def change(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        rows[2, 1] = value
        return rows

    return saved(change)


def zero_row(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    rows[3] = 0
    return rows


class Exploding:
    """Unpickling it would end the test."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('unpickled')",))


BAD_ROWS: dict[str, tuple[Edit, str]] = {
    "cut": (
        lambda path: path.write_bytes(path.read_bytes()[:-3]),
        "cut or damaged: declares 24 values of 2 bytes, 45 bytes follow",
    ),
    "longer": (
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        "cut or damaged: declares 24 values of 2 bytes, 49 bytes follow",
    ),
    "header": (lambda path: path.write_bytes(path.read_bytes()[:40]), "cannot be read: "),
    "empty": (lambda path: path.write_bytes(b""), "the file is empty"),
    "float64": (
        saved(lambda rows: rows.astype(np.float64)),
        "holds float64, where banks have 16 bits: numpy.save(NEW, numpy.load(OLD).",
    ),
    "integers": (
        saved(lambda rows: rows.astype(np.int32)),
        "holds int32, not rows of float16 or float32",
    ),
    "objects": (
        lambda path: np.save(path, np.array([[Exploding()]], object), allow_pickle=True),
        "holds Python objects, which are not read",
    ),
    "narrow": (
        saved(lambda rows: rows[:, :4]),
        "its rows have 4 numbers; the backbone (ViT-H-14) has 6",
    ),
    "flat": (saved(lambda rows: rows[0]), "holds an array of shape (6,), not rows"),
    "no rows": (saved(lambda rows: rows[:0]), "holds no rows"),
    "NaN": (with_value(np.nan), "row 3 holds numbers that are not finite"),
    "infinity": (with_value(np.inf), "row 3 holds numbers that are not finite"),
    "zero": (saved(zero_row), "row 4 is zero, so it has no direction"),
    "fewer": (saved(lambda rows: rows[:3]), "3 rows, and 4 in FOLDER/ddb/" + TWIN + ": "),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_damaged_file_is_one_line_and_no_bank(case: str, pairs: Path) -> None:
    edit, line = BAD_ROWS[case]
    edit(pairs / "ddb" / KEYS)
    found_line = problem(pairs, "shard-pairs")
    assert found_line.startswith(f"ddb/{KEYS}: {line.replace('FOLDER/', '')}")


def test_files_without_a_partner_are_no_pairs(pairs: Path) -> None:
    (pairs / "ddb" / TWIN).rename(pairs / "ddb" / TWIN.replace("001", "002"))
    assert problem(pairs, "shard-pairs") == (
        f"ddb/{KEYS}: would be paired with prompt_embeddings_allminilm_002.npy, which has another "
        "number: a file is missing"
    )
    (pairs / "ddb" / KEYS).unlink()
    line = "ddb: 1 file in vith14, 2 in all_minilm_l6_v2: they are no pairs"
    assert problem(pairs, "shard-pairs") == line


def test_a_folder_without_sets_is_refused(tmp_path: Path, pairs: Path) -> None:
    assert problem(pairs / "none", "shard-pairs") == "FOLDER: no such folder"
    assert problem(pairs / "ddb" / TARGETS, "shard-pairs") == (
        "FOLDER: no folder all_minilm_l6_v2 in it with a folder of keys beside it"
    )
    with pytest.raises(ConfigError, match="--format: should be shard-pairs or clip-retrieval, got"):
        import_into(pairs, "zip")
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "mine").touch()
    with pytest.raises(OutputError, match="exists already"):
        import_into(pairs, "shard-pairs")


# clip-retrieval

CAPTIONS: list[list[str | None]] = [["a cat", None, "a dog"], ["a bird", "", "a cat", "a fish"]]


@pytest.fixture
def retrieval(tmp_path: Path) -> Path:
    """Two partitions, as clip-retrieval numbers them."""
    folder = tmp_path / "laion"
    for name in ("text_emb", "img_emb", "metadata"):
        (folder / name).mkdir(parents=True)
    for number, captions in enumerate(CAPTIONS):
        rows = letters(C)([text or "none" for text in captions]).astype(np.float16)
        np.save(folder / "text_emb" / f"text_emb_{number:02d}.npy", rows)
        np.save(folder / "img_emb" / f"img_emb_{number:02d}.npy", rows)
        keys = [f"{number}-{i}" for i in range(len(captions))]
        table = pa.table({"image_path": keys, "caption": captions, "key": keys})
        pq.write_table(table, folder / "metadata" / f"metadata_{number}.parquet")
    return folder


def test_what_is_shown_of_an_import_says_nothing_of_repetitions(retrieval: Path) -> None:
    """``a cat`` is there twice, and stays."""
    shown = bank_table(import_into(retrieval, "clip-retrieval"))
    first, *_ = (line.split() for line in shown.splitlines() if "text_emb_01" in line)
    assert shown.startswith("5 prompts in 2 shards, ")
    assert first == ["text_emb_01.npy", "clip-retrieval", "4", "3", "position"]
    assert "repeated" not in shown


def test_captions_come_with_their_keys_and_are_encoded(retrieval: Path) -> None:
    bank = import_into(retrieval, "clip-retrieval", encode_keys=letters(C))
    texts = ["a cat", "a dog", "a bird", "a cat", "a fish"]
    assert bank.texts(range(5)) == texts
    np.testing.assert_array_equal(np.concatenate(bank.keys), letters(C)(texts).astype(np.float16))
    np.testing.assert_array_equal(
        np.concatenate(bank.targets), letters(D)(texts).astype(np.float16)
    )
    assert [(s.name, s.read, s.kept) for s in bank.manifest.sources] == [
        ("text_emb_00.npy", 3, 2),
        ("text_emb_01.npy", 4, 3),
    ]
    assert [(f.name, f.dropped) for f in bank.manifest.filters] == [("empty", 2)]


def test_a_folder_without_any_caption(retrieval: Path) -> None:
    for path in (retrieval / "metadata").iterdir():
        rows = pq.read_metadata(path).num_rows
        pq.write_table(pa.table({"caption": pa.nulls(rows, pa.string())}), path)
    line = problem(retrieval, "clip-retrieval")
    assert line == "FOLDER: none of its 7 rows has a caption"


def test_keys_of_other_captions_are_found_out(retrieval: Path) -> None:
    """LAION's embeddings and its metadata were published in different orders."""
    path = retrieval / "text_emb" / "text_emb_01.npy"
    np.save(path, np.roll(np.load(path), 1, axis=0))
    line = problem(retrieval, "clip-retrieval", encode_keys=letters(C))
    cosines = letters(C)(["a bird", "none", "a cat", "a fish"])
    expected = (cosines * np.roll(cosines, 1, axis=0)).sum(axis=1)[[0, 2, 3]]
    row = [1, 3, 4][int(expected.argmin())]
    assert line.startswith(f"text_emb/text_emb_01.npy: row {row} has a cosine of ")
    assert "the keys are another backbone's, or in another order" in line


def repeated(folder: Path, number: int) -> str:
    path = folder / "metadata" / f"metadata_{number}.parquet"
    table = pq.read_table(path).to_pydict()
    table["key"][-1] = "0-0"
    pq.write_table(pa.table(table), path)
    return f"metadata/{path.name}: repeated id '0-0'"


@pytest.mark.parametrize("number", [0, 1])
def test_repeated_ids_are_found_in_all_tables_together(number: int, retrieval: Path) -> None:
    line = repeated(retrieval, number)
    assert problem(retrieval, "clip-retrieval") == line


def test_ids_may_be_lists_or_missing(retrieval: Path) -> None:
    path = retrieval / "metadata" / "metadata_0.parquet"
    captions = pa.array(CAPTIONS[0], pa.string())
    nothing = pa.array([float("nan")] * 3)
    pq.write_table(pa.table({"caption": captions, "key": nothing}), path)
    assert len(import_into(retrieval, "clip-retrieval")) == 5
    pq.write_table(pa.table({"caption": captions, "key": [[1], [2], [1]]}), path)
    assert problem(retrieval, "clip-retrieval") == "metadata/metadata_0.parquet: repeated id [1]"


def renamed(name: str, other: str) -> Edit:
    return lambda folder: (folder / name).rename(folder / other)


def without_caption(folder: Path) -> None:
    path = folder / "metadata" / "metadata_0.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["caption"]), path)


BAD_FOLDERS: dict[str, tuple[Edit, str]] = {
    "column": (
        without_caption,
        "metadata/metadata_0.parquet: needs one column of caption; has 'image_path', 'key' ",
    ),
    "table": (
        renamed("metadata/metadata_1.parquet", "metadata/metadata_2.parquet"),
        "text_emb/text_emb_01.npy: no file of this number in metadata",
    ),
    "embeddings": (
        lambda folder: (folder / "text_emb" / "text_emb_01.npy").unlink(),
        "metadata/metadata_1.parquet: no file of this number in text_emb",
    ),
    "number": (
        renamed("text_emb/text_emb_01.npy", "text_emb/text_emb.npy"),
        "text_emb/text_emb.npy: its name does not end with a number",
    ),
    "twice": (
        renamed("text_emb/text_emb_01.npy", "text_emb/text_emb_0.npy"),
        "text_emb: two files of one number: 'text_emb_0.npy', 'text_emb_00.npy'",
    ),
    "none": (renamed("text_emb", "text"), "text_emb: no .npy file in it"),
    "rows": (
        lambda folder: saved(lambda rows: rows[:2])(folder / "text_emb" / "text_emb_00.npy"),
        "text_emb/text_emb_00.npy: 2 rows, and 3 in metadata/metadata_0.parquet: they are no pair",
    ),
    "cut": (
        lambda folder: (folder / "metadata" / "metadata_1.parquet").write_bytes(b"PAR1"),
        "metadata/metadata_1.parquet: cannot be read: ",
    ),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_a_broken_folder_is_one_line_and_no_bank(case: str, retrieval: Path) -> None:
    edit, line = BAD_FOLDERS[case]
    edit(retrieval)
    assert problem(retrieval, "clip-retrieval").startswith(line)


def test_an_encoder_that_fails_in_the_middle_leaves_nothing(retrieval: Path) -> None:
    calls: list[int] = []

    def failing(texts: Sequence[str]) -> FloatArray:
        calls.append(len(texts))
        if len(calls) > 1:
            raise DataError("the text encoder failed")
        return letters(D)(texts)

    assert problem(retrieval, "clip-retrieval", encode=failing) == "the text encoder failed"
    assert calls == [2, 3]


def test_captions_need_a_text_encoder(retrieval: Path) -> None:
    assert problem(retrieval, "clip-retrieval", encode=None) == (
        "captions are encoded to targets: an import of them needs a text encoder"
    )
