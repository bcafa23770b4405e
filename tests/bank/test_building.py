"""A bank is built once, by whoever and after whatever; its bytes depend on what was asked for."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.full_disk import no_file_above

from unprompt import ConfigError, DataError, OutputError, unit
from unprompt._data.space import TextSpace
from unprompt.bank.building import Built, Encoder, Plan, build, collect
from unprompt.bank.building import spill as spilling
from unprompt.bank.store import BankBackbone, StoredBank
from unprompt.contracts import silent
from unprompt.types import FloatArray

D, C = 16, 8
SPACE = TextSpace(plugin="letters", identity="letters-1")
BACKBONE = BankBackbone(identity={"files": "1"}, source={"model": "x"}, dim=C, precision="float32")


def rows_of(texts: Sequence[str], dim: int) -> FloatArray:
    """A row a text, of the text alone."""
    seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]
    return unit(np.stack([np.random.default_rng(seed).normal(size=dim) for seed in seeds]))


@dataclass(frozen=True)
class One:
    text: str
    count: int = 1


@dataclass
class Listed:
    """A source in memory."""

    texts: Sequence[str | One]
    name: str = "list"
    kind: str = "lines"
    broken: Exception | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(repr(self.texts).encode()).hexdigest()

    def prompts(self) -> Iterator[list[One]]:
        for start in range(0, len(self.texts), 7):
            part = self.texts[start : start + 7]
            yield [one if isinstance(one, One) else One(one) for one in part]
        if self.broken:
            raise self.broken


@dataclass(frozen=True)
class Shorter:
    """A filter."""

    value: int
    name: str = "max_length"

    def keeps(self, text: str) -> bool:
        return len(text) <= self.value


@dataclass
class Work:
    """What is built, and what was encoded for it."""

    sources: list[Listed]
    shard_rows: int = 10
    filters: tuple[Shorter, ...] = ()
    encoded: list[str] = field(default_factory=list)
    stop: Callable[[int], None] = lambda number: None
    backbone: BankBackbone | None = BACKBONE
    held: tuple[Any, ...] = ()

    def plan(self) -> Plan:
        def targets(texts: Sequence[str]) -> FloatArray:
            self.stop(len(self.encoded))
            self.encoded += texts
            return rows_of(texts, D)

        encoders = [Encoder("targets.npy", "text encoder letters", D, targets, self.held)]
        if self.backbone:
            encoders.append(Encoder("keys.npy", "tower", C, lambda texts: rows_of(texts, C)))
        return Plan(
            request={
                "shard_rows": self.shard_rows,
                "sources": [source.sha256 for source in self.sources],
            },
            text_encoder=SPACE,
            target_dim=D,
            backbone=self.backbone,
            encoders=tuple(encoders),
            collect=lambda folder: collect(
                folder,
                self.sources,
                self.filters,
                folded=lambda text: " ".join(text.split()).casefold(),
                shard_rows=self.shard_rows,
                progress=silent,
            ),
        )


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def numbered(count: int) -> list[str]:
    return [f"prompt number {i} {'x' * (i % 13)}" for i in range(count)]


def whole(result: Built) -> StoredBank:
    assert result.bank is not None and result.done == result.shards
    return result.bank


def test_rows_are_those_of_the_prompts_in_the_order_of_the_sources(tmp_path: Path) -> None:
    texts = numbered(35)
    bank = whole(build(tmp_path / "bank", Work([Listed(texts)]).plan()))
    assert len(bank) == 35
    assert [len(part) for part in bank.keys] == [10, 10, 10, 5]
    assert bank.texts(range(35)) == texts
    np.testing.assert_array_equal(bank.counts(range(35)), 1)
    order = np.array([34, 0, 12, 12])
    for what, dim in (("targets", D), ("keys", C)):
        wanted = rows_of([texts[i] for i in order], dim)
        taken = bank.take(what, order)  # type: ignore[arg-type]  # the two names
        assert taken.dtype == np.float32
        np.testing.assert_allclose(taken, wanted, atol=6e-4)  # 16 bits have 11 of precision
        np.testing.assert_allclose(np.linalg.norm(taken, axis=1), 1, atol=1e-6)
    assert bank.take("keys", order.reshape(2, 2)).shape == (2, 2, C)
    names = {path.name for path in (tmp_path / "bank").iterdir()}
    assert names == {"manifest.json", "shards"}


def test_prompts_that_fold_alike_are_one_with_the_first_ones_text(tmp_path: Path) -> None:
    sources = [
        Listed(["A  cat", "", "dog", One("a CAT", 3), "a long prompt"], name="a"),
        Listed(["Dog", "bird", "a cat"], name="b"),
    ]
    bank = whole(build(tmp_path / "bank", Work(sources, filters=(Shorter(8),)).plan()))
    assert bank.texts(range(len(bank))) == ["A  cat", "dog", "bird"]
    assert bank.counts(range(3)).tolist() == [5, 2, 1]
    manifest = bank.manifest
    assert [(s.name, s.read, s.kept) for s in manifest.sources] == [("a", 7, 2), ("b", 3, 1)]
    assert [(f.name, f.value, f.dropped) for f in manifest.filters] == [
        ("empty", None, 1),
        ("max_length", 8, 1),
    ]
    read = sum(source.read for source in manifest.sources)
    assert read == manifest.counted + sum(part.dropped for part in manifest.filters)


@pytest.mark.parametrize("in_memory", [1, 5, 64, 10_000])
def test_what_is_written_to_partitions_changes_nothing(
    in_memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    texts = [f"prompt {i}" for i in rng.integers(0, 40, 150)]
    monkeypatch.setattr(spilling, "IN_MEMORY", in_memory)
    bank = whole(build(tmp_path / "bank", Work([Listed(texts)]).plan()))
    once = list(dict.fromkeys(texts))
    assert bank.texts(range(len(bank))) == once
    assert bank.counts(range(len(bank))).tolist() == [texts.count(text) for text in once]


def test_what_was_killed_goes_on_with_the_next_shard(tmp_path: Path) -> None:
    texts = numbered(50)
    build(tmp_path / "whole", Work([Listed(texts)]).plan())
    work = Work([Listed(texts)])

    def stop(encoded: int) -> None:
        if encoded == 30 and len(work.encoded) == 30:
            raise KeyboardInterrupt

    work.stop = stop
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "bank", work.plan())
    with pytest.raises(DataError, match=r"bank: an unfinished bank \(3 of 5 shards are done\)"):
        StoredBank.open(tmp_path / "bank")
    # A file of the next shard that was cut has no mark.
    (tmp_path / "bank" / "shards" / "00003" / "targets.npy").write_bytes(b"cut")
    again = Work([Listed(texts)])
    whole(build(tmp_path / "bank", again.plan()))
    assert sorted(again.encoded) == sorted(texts[30:])
    assert content(tmp_path / "bank") == content(tmp_path / "whole")


def test_a_finished_bank_is_not_built_again(tmp_path: Path) -> None:
    texts = numbered(20)
    whole(build(tmp_path / "bank", Work([Listed(texts)]).plan()))
    before = content(tmp_path / "bank")
    again = Work([Listed(texts)])
    whole(build(tmp_path / "bank", again.plan()))
    assert again.encoded == []
    assert content(tmp_path / "bank") == before
    with pytest.raises(OutputError, match="bank: exists already"):
        build(tmp_path / "bank", Work([Listed(texts)], shard_rows=5).plan())
    assert content(tmp_path / "bank") == before


def test_several_at_once_encode_each_shard_once(tmp_path: Path) -> None:
    texts = numbered(200)
    build(tmp_path / "whole", Work([Listed(texts)]).plan())
    works = [Work([Listed(texts)]) for _ in range(4)]
    threads = [
        threading.Thread(target=build, args=(tmp_path / "bank", work.plan())) for work in works
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(text for work in works for text in work.encoded) == sorted(texts)
    assert content(tmp_path / "bank") == content(tmp_path / "whole")


@pytest.mark.parametrize("finished", [False, True])
def test_a_bank_that_another_begins_or_ends_in_this_moment_is_joined(
    finished: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, listdir = numbered(50), os.listdir
    build(tmp_path / "whole", Work([Listed(texts)]).plan())

    def after_another(folder: Path) -> list[str]:
        """The folder is looked into when another process has just been there."""
        monkeypatch.setattr(os, "listdir", listdir)
        build(folder, Work([Listed(texts)]).plan(), share=None if finished else (1, 2))
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", after_another)
    whole(build(tmp_path / "bank", Work([Listed(texts)]).plan()))
    assert os.listdir is listdir
    assert content(tmp_path / "bank") == content(tmp_path / "whole")


def test_shares_are_every_nth_shard_and_the_last_one_finishes(tmp_path: Path) -> None:
    texts = numbered(50)
    build(tmp_path / "whole", Work([Listed(texts)]).plan())
    work = Work([Listed(texts)])
    first = build(tmp_path / "bank", work.plan(), share=(2, 2))
    assert (first.done, first.shards, first.bank) == (2, 5, None)
    assert sorted(work.encoded) == sorted([*texts[10:20], *texts[30:40]])
    whole(build(tmp_path / "bank", Work([Listed(texts)]).plan(), share=(1, 2)))
    assert content(tmp_path / "bank") == content(tmp_path / "whole")


def test_another_request_does_not_join(tmp_path: Path) -> None:
    texts = numbered(50)
    build(tmp_path / "bank", Work([Listed(texts)]).plan(), share=(1, 2))
    with pytest.raises(ConfigError) as caught:
        build(tmp_path / "bank", Work([Listed(texts)], shard_rows=5).plan())
    (line,) = caught.value.problems
    assert line == (
        f"{tmp_path}/bank: this bank was begun with other shard_rows (10, not 5); give the same, "
        "or choose another folder"
    )
    with pytest.raises(ConfigError, match="begun with other sources; give the same"):
        build(tmp_path / "bank", Work([Listed(texts[1:])]).plan())
    whole(build(tmp_path / "bank", Work([Listed(texts)]).plan()))


class Rows:
    """A source's rows."""

    def __init__(self, texts: list[str]) -> None:
        self.rows = -rows_of(texts, D).astype(np.float16)  # no encoder gives these

    def halves(self, rows: Any) -> Any:
        return self.rows[rows]


def test_rows_that_a_source_has_are_copied(tmp_path: Path) -> None:
    old, new = numbered(30), [f"new {i}" for i in range(8)]
    work = Work([Listed(new[:4]), Listed(["", *old, "PROMPT number 0"]), Listed(new[4:])])
    work.held = (None, Rows(["", *old, "PROMPT number 0"]), None)
    bank = whole(build(tmp_path / "bank", work.plan()))
    assert sorted(work.encoded) == sorted(new)
    assert bank.texts(range(38)) == [*new[:4], *old, *new[4:]]
    copied = bank.halves("targets", range(4, 34))
    np.testing.assert_array_equal(copied, -rows_of(old, D).astype(np.float16))
    np.testing.assert_allclose(bank.take("targets", range(4)), rows_of(new[:4], D), atol=6e-4)


def test_a_broken_source_leaves_nothing(tmp_path: Path) -> None:
    broken = Listed(numbered(20), broken=DataError("row 20: is broken"))
    with pytest.raises(DataError, match=r"^row 20: is broken$"):
        build(tmp_path / "new" / "bank", Work([broken]).plan())
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError):
        build(tmp_path / "mine", Work([broken]).plan())
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]  # it was there before


@pytest.mark.parametrize("there", [False, True])
def test_a_disk_without_any_room_is_left_as_it_was(there: bool, tmp_path: Path) -> None:
    if there:
        (tmp_path / "bank").mkdir()
    before = [*tmp_path.rglob("*")]
    with pytest.raises(OutputError, match=r"bank.*: cannot be written"), no_file_above(0):
        build(tmp_path / "bank", Work([Listed(numbered(3))]).plan())
    assert [*tmp_path.rglob("*")] == before


def test_large_counts_take_no_longer_than_small_ones(tmp_path: Path) -> None:
    """A count is not a number of steps, or this test would not end."""
    source = Listed([One("a", 2**52), One("b", 2**52)])
    bank = build(tmp_path / "bank", Work([source]).plan()).bank
    assert bank is not None
    assert bank.manifest.counted == 2**53


def test_counts_that_are_too_large_together_are_refused(tmp_path: Path) -> None:
    sources = [Listed([One("a", 2**53)]), Listed([One("b")], name="more")]
    with pytest.raises(DataError) as caught:
        build(tmp_path / "bank", Work(sources).plan())
    line = "more: all counts together are more than 9,007,199,254,740,992"
    assert caught.value.problems == (line,)
    assert list(tmp_path.iterdir()) == []


def test_no_prompt_left_says_why(tmp_path: Path) -> None:
    work = Work([Listed(["", "a long prompt", "another long one"])], filters=(Shorter(3),))
    with pytest.raises(DataError) as caught:
        build(tmp_path / "bank", work.plan())
    assert caught.value.problems == ("no prompt is left of 3: 1 by empty, 2 by max_length",)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (np.nan, "gave 1 of 10 rows that are not finite"),
        (1e30, "gave 1 of 10 rows that are not unit length (the first has 4e+30)"),
        (0.0, "gave 1 of 10 rows that are not unit length (the first has 0)"),
    ],
)
def test_a_failing_encoder(wrong: float, line: str, late: bool, tmp_path: Path) -> None:
    plan = Work([Listed(numbered(30))]).plan()
    right, calls = plan.encoders[0].encode, list[int]()

    def encode(texts: Sequence[str]) -> FloatArray:
        rows = right(texts).copy()
        calls.append(len(texts))
        if len(calls) == (2 if late else 1):
            rows[3] = wrong
        return rows

    encoder = Encoder("targets.npy", "text encoder letters", D, encode)
    broken = Plan(
        **{**{n: getattr(plan, n) for n in plan.__slots__}, "encoders": (encoder, plan.encoders[1])}
    )
    with pytest.raises(DataError) as caught:
        build(tmp_path / "bank", broken)
    assert caught.value.problems == (f"text encoder letters: {line}",)
    if late:
        assert caught.value.__notes__ == [
            f"{tmp_path}/bank: 1 of 3 shards are done and kept; the same command goes on from there"
        ]
        whole(build(tmp_path / "bank", plan))
    else:
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", ["file", "full", "fifo"])
def test_what_exists_is_refused_and_kept(make: str, tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    if make == "file":
        folder.write_text("old")
    elif make == "fifo":
        os.mkfifo(folder)
    else:
        folder.mkdir()
        (folder / "old").write_text("old")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match="bank: exists already"):
        build(folder, Work([Listed(numbered(3))]).plan())
    assert sorted(tmp_path.rglob("*")) == before


def test_the_manifest_holds_no_time_and_no_path(tmp_path: Path) -> None:
    build(tmp_path / "bank", Work([Listed(numbered(3))]).plan())
    text = (tmp_path / "bank" / "manifest.json").read_text()
    assert str(tmp_path) not in text
    assert json.loads(text)["shards"][0]["rows"] == 3


def test_sources_that_were_being_read_are_read_again(tmp_path: Path) -> None:
    """What a process leaves that is killed in the first stage has no mark."""
    texts = numbered(25)
    build(tmp_path / "whole", Work([Listed(texts)]).plan())

    folder = tmp_path / "bank"
    (folder / ".building" / "locks").mkdir(parents=True)
    (folder / ".building" / "request.json").write_text('{"sources": "others"}')
    (folder / ".building" / "spill").mkdir()
    (folder / ".building" / "spill" / "007.rows").write_text("cut")
    (folder / "shards" / "00000").mkdir(parents=True)
    (folder / "shards" / "00000" / "prompts.parquet").write_text("cut")
    (folder / "shards" / "00009").mkdir()
    with pytest.raises(DataError, match=r"bank: an unfinished bank \(its sources are being read\)"):
        StoredBank.open(folder)
    whole(build(folder, Work([Listed(texts)]).plan()))
    assert content(folder) == content(tmp_path / "whole")


@pytest.mark.parametrize("left", [".building", ".building.ended"])
def test_what_was_killed_in_its_last_moment_is_tidied(left: str, tmp_path: Path) -> None:
    plan = Work([Listed(numbered(5))]).plan()
    build(tmp_path / "bank", plan)
    before = content(tmp_path / "bank")
    (tmp_path / "bank" / left / "locks").mkdir(parents=True)
    whole(build(tmp_path / "bank", plan))
    assert content(tmp_path / "bank") == before
    assert sorted(path.name for path in (tmp_path / "bank").iterdir()) == [
        "manifest.json",
        "shards",
    ]
