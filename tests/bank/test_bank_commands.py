"""`unprompt bank`: what it prints, and one clear line for each mistake; no bank is left behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.full_disk import no_file_above

import unprompt as package
from unprompt import DataError
from unprompt._files.hashing import file_hash
from unprompt.bank import BankConfig, StoredBank
from unprompt.contracts import Runtime
from unprompt.testing import HashedWords, example_train_set
from unprompt.towers import ClipTowers, FolderSource

Command = Callable[..., CompletedProcess[str]]

CLIP = "package:unprompt_painter/checkpoints/clip-b"
OTHER = "package:unprompt_painter/checkpoints/clip-a"
PROMPTS = [
    "a red fox, oil painting",
    "two blue owls",
    "A  RED fox, oil painting",
    "",
    "a green snail under the moon, pencil sketch",
    "nsfw snail",
    "owl",
]
ENCODER = """\
from unprompt import Model, TextEncoderSpec, hookimpl
from unprompt.testing import HashedWords


class Options(Model):
    pass


class Words(HashedWords):
    def __init__(self, options, runtime):
        pass


@hookimpl
def unprompt_text_encoder():
    return TextEncoderSpec("words", "hashed words", Options, f"{__name__}:Words")
"""


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "words.py").write_text(ENCODER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNPROMPT_PLUGINS_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prompts") / "prompts.txt"
    path.write_text("\n".join(PROMPTS) + "\n")
    return path


@pytest.fixture(scope="module")
def made(
    unprompt: Command, plugins: Path, prompts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """With keys of the smallest CLIP, in shards of two."""
    folder = tmp_path_factory.mktemp("made") / "bank"
    done = unprompt("bank", "build", prompts, "-o", folder, *options())
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.splitlines()[-1] == str(folder)
    return folder


def options() -> list[str]:
    limits = ["--block", "^nsfw", "--min-length", "4"]
    return ["--backbone", CLIP, "--text-encoder", "words", "--shard-rows", "2", *limits]


KEPT = [PROMPTS[0], PROMPTS[1], PROMPTS[4]]


def test_keys_and_targets_are_the_models_own(made: Path) -> None:
    bank = StoredBank.open(made)
    assert bank.texts(range(3)) == KEPT
    source = FolderSource.model_validate({"folder": CLIP})
    keys = ClipTowers(source, Runtime(), "test").texts(KEPT)
    np.testing.assert_allclose(bank.take("keys", range(3)), keys, atol=6e-4)
    targets = HashedWords().encode(KEPT)
    np.testing.assert_allclose(bank.take("targets", range(3)), targets, atol=6e-4)


def test_info_adds_up(made: Path, unprompt: Command, prompts: Path) -> None:
    shown = unprompt("bank", "info", made, "--verify")
    assert shown.returncode == 0
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert lines[0][:5] == ["3", "prompts", "in", "2", "shards,"]
    assert ["prompts.txt", "lines", "7", "3"] in lines
    counted = {" ".join(line[:-1]): int(line[-1]) for line in lines[5:11]}
    assert counted == {
        "read": 7,
        "left out: empty": 1,
        "left out: min length 4": 1,
        "left out: block ^nsfw": 1,
        "repeated": 1,
        "prompts": 3,
    }
    assert f"{CLIP}, float32" in shown.stdout and "words: hashed-words-32" in shown.stdout
    assert shown.stderr.startswith("verified: ")
    plain = json.loads(unprompt("bank", "info", made, "--json").stdout)
    assert plain["rows"] == 3 and plain["counted"] == 4
    assert plain["sources"][0]["sha256"] == file_hash(prompts)
    assert plain["bytes"] == sum(f.stat().st_size for f in made.glob("shards/*/*.[np]*[yt]"))


def test_an_index_is_made_when_the_bank_is_finished(
    made: Path, unprompt: Command, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["--text-encoder", "words", "--index", "SQ8"]
    bank = tmp_path / "bank"
    done = unprompt("bank", "build", made, "-o", bank, *words)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    (index,) = StoredBank.open(bank).manifest.indexes
    assert (index.factory, set(index.parts)) == ("SQ8", {"targets"})
    assert "SQ8, recall@3 1.0000" in done.stdout
    before = (bank / "manifest.json").read_bytes()
    assert unprompt("bank", "build", made, "-o", bank, *words).returncode == 0
    assert (bank / "manifest.json").read_bytes() == before  # nothing was left to do
    found, exact = (
        unprompt("bank", "search", bank, "two owls", "--json", *index_words)
        for index_words in (["--index", "SQ8"], [])
    )
    assert found.stdout == exact.stdout
    quality = index.parts["targets"].quality
    assert f"{bank}: targets are searched approximately: index SQ8: {quality}" in caplog.text


def test_search_by_text_and_by_image(made: Path, unprompt: Command, tmp_path: Path) -> None:
    done = unprompt("bank", "search", made, "two owls", "-k", "2", "--json")
    hits = json.loads(done.stdout)
    cosines = HashedWords().encode(KEPT) @ HashedWords().encode(["two owls"])[0]
    assert [hit["row"] for hit in hits] == np.argsort(-cosines)[:2].tolist()
    assert [hit["cosine"] for hit in hits] == pytest.approx(sorted(cosines)[:0:-1], abs=1e-3)
    assert hits[0]["prompt"] == "two blue owls"
    table = unprompt("bank", "search", made, "red fox", "-k", "1").stdout.splitlines()
    assert table[1].split()[1:3] == ["2", "0"]  # count and row
    assert table[1].endswith("a red fox, oil painting")

    image = tmp_path / "a.png"
    Image.effect_noise((64, 64), 80).convert("RGB").save(image)
    found = package.search_bank(made, str(image), 9)
    clip = ClipTowers(FolderSource.model_validate({"folder": CLIP}), Runtime(), "test")
    with Image.open(image) as opened:
        query = clip.images(clip.preprocess(opened.convert("RGB"))[None])[0]
    assert len(found) == 3  # all there are
    by_row = {hit.row: hit.cosine for hit in found}
    assert [by_row[i] for i in range(3)] == pytest.approx(clip.texts(KEPT) @ query, abs=1e-3)
    assert [hit.cosine for hit in found] == sorted(by_row.values(), reverse=True)


def test_what_another_bank_has_is_copied(made: Path, unprompt: Command, tmp_path: Path) -> None:
    words = ["--text-encoder", "words", "--backbone", CLIP]
    assert unprompt("bank", "build", made, "-o", tmp_path / "copy", *words).returncode == 0
    old, new = StoredBank.open(made), StoredBank.open(tmp_path / "copy")
    for name in ("keys", "targets"):
        one, other = (np.concatenate(getattr(bank, name)) for bank in (old, new))
        np.testing.assert_array_equal(one, other)
    assert new.counts(range(3)).tolist() == [2, 1, 1]
    assert new.manifest.sources[0].kind == "bank"


def test_near_duplicates(made: Path, unprompt: Command, tmp_path: Path) -> None:
    done = unprompt("bank", "dedup", made, "-o", tmp_path / "few", "--threshold", "0.1")
    assert done.returncode == 0, done.stderr
    few = StoredBank.open(tmp_path / "few")
    assert len(few) < 3
    assert few.manifest.counted == 4
    counted = adding_up(unprompt("bank", "info", tmp_path / "few").stdout)
    assert counted["read"] == 4 and counted["prompts"] == len(few)
    owners = sum(few.counts(range(len(few))) > 1)  # each of them repeats, or had a near one
    assert owners and counted["left out: near duplicates 0.1"] >= 3 - len(few)


def adding_up(info: str) -> dict[str, int]:
    """The printed lines of what was read: all others come to it."""
    lines = info.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("read "))
    block = lines[start : lines.index("", start)]
    counted = {line.rsplit("  ", 1)[0].strip(): int(line.split()[-1]) for line in block}
    assert counted["read"] == sum(counted.values()) - counted["read"]
    return counted


def test_numbers_of_a_bank_without_near_duplicates_add_up(
    plugins: Path, unprompt: Command, tmp_path: Path
) -> None:
    lines = ["a b c d", "d c b a", "A b C d", "d c b a", "x y", "", "d  c b a", "another thing"]
    (tmp_path / "lines.txt").write_text("\n".join(lines) + "\n")
    words = ["--text-encoder", "words"]
    unprompt("bank", "build", tmp_path / "lines.txt", "-o", tmp_path / "all", *words)
    all_ = adding_up(unprompt("bank", "info", tmp_path / "all").stdout)
    assert all_ == {"read": 8, "left out: empty": 1, "repeated": 3, "prompts": 4}
    done = unprompt("bank", "dedup", tmp_path / "all", "-o", tmp_path / "few")
    # Two rows have the same words: the one that occurs three times has the count of the other.
    assert done.stderr.splitlines()[-1] == "3 of 4 prompts are kept"
    few = adding_up(unprompt("bank", "info", tmp_path / "few").stdout)
    near = "left out: near duplicates 0.9"
    assert few == {"read": 7, near: 2, "repeated": 2, "prompts": 3}
    again = unprompt("bank", "build", tmp_path / "few", "-o", tmp_path / "again", *words)
    assert adding_up(again.stdout) == {
        "read": 7, "left out: empty": 0, "repeated": 4, "prompts": 3
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--shard", "3/2"], "should be I/N with I from 1 to N"),
        (["--block", "("], "--block '(': not a regular expression: "),
        (["--block", "\udcff"], "--block: not UTF-8: '\\udcff'"),
        (["--index", "\udcff"], "index: not UTF-8: '\\udcff'"),
        (["--min-length", "5", "--max-length", "4"], "--min-length 5 is more than --max-length 4"),
        (["--max-tokens", "9"], "--max-tokens: this text encoder does not count tokens"),
        (["--min-length", "999"], "no prompt is left of 7: 1 by empty, 6 by min_length"),
        (["--backbone", "ViT-H-14"], "--backbone ViT-H-14: should be MODEL/TAG, such as ViT-H-14/"),
        (["--backbone", "ViT-H-14/no-such-tag"], "no-such-tag"),
        (["--backbone", "/nothing/here"], "the bank's backbone: "),
        (["--column", "prompt"], "prompts.txt: "),
        (["--index", "nonsense"], "index 'nonsense': faiss refuses it: could not parse index str"),
        (["--precision", "float8"], "precision (--precision): "),
        (["--text-encoder", "wordz"], "'wordz'"),
    ],
)
def test_a_mistake_in_a_build_is_one_line_and_leaves_nothing(
    words: list[str], line: str, prompts: Path, plugins: Path, unprompt: Command, tmp_path: Path
) -> None:
    encoder = [] if "--text-encoder" in words else ["--text-encoder", "words"]
    output = tmp_path / "new" / "bank"
    done = unprompt("bank", "build", prompts, "-o", output, *encoder, *words)
    assert done.returncode == 2
    assert line in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(prompts: Path, plugins: Path, unprompt: Command) -> None:
    words = ["--text-encoder", "words"]
    done = unprompt("bank", "build", prompts, "-o", "/proc/bank", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("/proc/bank: cannot be written: ")
    assert done.stderr.count("\n") == 1


def test_a_full_disk(plugins: Path, unprompt: Command, tmp_path: Path) -> None:
    lines = tmp_path / "many.txt"
    lines.write_text("".join(f"prompt {i}\n" for i in range(600)))
    words = ["--text-encoder", "words"]
    with no_file_above(20_000):  # the targets of 600 prompts are 38,400 bytes
        done = unprompt("bank", "build", lines, "-o", tmp_path / "bank", *words)
    assert done.returncode == 2
    assert done.stderr == (
        f"{tmp_path}/bank/shards/00000/targets.npy: cannot be written: file too large\n"
    )
    assert list(tmp_path.iterdir()) == [lines]


def damaged(made: Path, folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    bank = folder / "bank"
    shutil.copytree(made, bank)
    manifest = json.loads((bank / "manifest.json").read_text())
    change(manifest)
    (bank / "manifest.json").write_text(json.dumps(manifest))
    return bank


def test_a_table_has_one_line_for_what_a_manifest_says(
    made: Path, unprompt: Command, tmp_path: Path
) -> None:
    """Names of sources are names of files, which may hold anything."""

    def change(manifest: dict[str, Any]) -> None:
        manifest["sources"][0]["name"] = "a\x1b[2J\n\u202eb"
        manifest["filters"][1]["value"] = "^\n\x07$"
        manifest["backbone"]["source"] = {"model": "\x1b]0;x\n"}
        manifest["text_encoder"]["identity"] = "\x1b\n"

    before = unprompt("bank", "info", made).stdout
    after = unprompt("bank", "info", damaged(made, tmp_path, change)).stdout
    assert len(after.splitlines()) == len(before.splitlines())
    assert "\na␛[2J␊�b  " in after
    assert " ^␊␇$  " in after
    assert not {"\x1b", "\x07", "\u202e"} & {*after}


def test_models_that_are_others_by_now(made: Path, unprompt: Command, tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    Image.new("RGB", (64, 64)).save(image)

    def change(manifest: dict[str, Any]) -> None:
        manifest["backbone"]["identity"]["files"] = "0"
        manifest["text_encoder"]["identity"] = "hashed-words-33"

    bank = damaged(made, tmp_path, change)
    done = unprompt("bank", "search", bank, image)
    assert done.stderr == f"{bank}: its keys are of {CLIP}, not of {CLIP} as it is here\n"
    done = unprompt("bank", "search", bank, "a red fox")
    assert done.stderr == (
        f"{bank}: its targets are of the text encoder 'hashed-words-33'; plugin 'words' is "
        "'hashed-words-32' here\n"
    )


def test_what_cannot_be_searched(made: Path, unprompt: Command, tmp_path: Path) -> None:
    assert unprompt("bank", "search", made, "none.png").stderr == "none.png: no such image\n"
    assert unprompt("bank", "search", made, " ").stderr == "the text to search for is empty\n"
    done = unprompt("bank", "search", made, "a \udcff")
    assert done.stderr == "the text to search for: not UTF-8: 'a \\udcff'\n"
    path = tmp_path / "cut"
    shutil.copytree(made, path)
    keys = path / "shards" / "00001" / "keys.npy"
    keys.write_bytes(keys.read_bytes()[:-1])
    done = unprompt("bank", "search", path, "a fox")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{keys}: cut: ")


def with_nan(made: Path, folder: Path, name: str) -> Path:
    bank = folder / "bank"
    shutil.copytree(made, bank)
    path = bank / "shards" / "00001" / name
    rows = np.load(path)
    rows[0, 1] = np.nan
    np.save(path, rows)
    return bank


@pytest.mark.parametrize("name", ["keys.npy", "targets.npy"])
def test_a_row_that_is_not_finite_is_found_by_whoever_reads_it(
    name: str, made: Path, unprompt: Command, tmp_path: Path
) -> None:
    bank = with_nan(made, tmp_path, name)
    line = f"{bank}/shards/00001/{name}: row 1 is not finite: the file is damaged\n"
    image, words = tmp_path / "a.png", ["--text-encoder", "words"]
    Image.new("RGB", (64, 64)).save(image)
    before = sorted(tmp_path.iterdir())
    commands: list[list[object]] = [
        ["search", bank, image if name == "keys.npy" else "a fox"],
        ["dedup", bank, "-o", tmp_path / "new", "-q"],
        ["build", bank, "-o", tmp_path / "new", *words, "--backbone", CLIP, "-q"],
        ["index", bank, "SQ8", "-q"],
    ]
    for command in commands:
        done = unprompt("bank", *command)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", line), command
        assert sorted(tmp_path.iterdir()) == before
    what = name.removesuffix(".npy")
    member = config(bank).on_disk(None, None, Runtime())
    assert member is not None
    query = np.ones((1, getattr(member, what).shape[1]), np.float32)
    with pytest.raises(DataError) as caught:
        member.search_keys(query, 1) if what == "keys" else member.nearest(query, 1)
    assert caught.value.problems == (line.strip(),)


def test_a_changed_prompt_is_not_copied(made: Path, unprompt: Command, tmp_path: Path) -> None:
    bank = tmp_path / "bank"
    shutil.copytree(made, bank)
    path = bank / "shards" / "00000" / "prompts.parquet"
    content = bytearray(path.read_bytes())
    content[content.index(b"two blue owls")] ^= 1  # "uwo", which is a prompt, too
    path.write_bytes(content)
    done = unprompt("bank", "dedup", bank, "-o", tmp_path / "new", "-q")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"{path}: cannot be read: ")
    assert list(tmp_path.iterdir()) == [bank]


# A member's bank


def config(folder: Path, **more: Any) -> BankConfig:
    return BankConfig.model_validate({"folder": str(folder), **more})


def identity(folder: str) -> dict[str, Any]:
    source = FolderSource.model_validate({"folder": folder})
    return ClipTowers.identity(source, Runtime(), "test")


def test_a_member_takes_the_rows_as_they_are(made: Path) -> None:
    runtime = Runtime()
    bank = config(made).on_disk(identity(CLIP), HashedWords(), runtime)
    assert bank is not None and len(bank) == 3
    assert config(made).identity(runtime) == {"bank": StoredBank.open(made).manifest.identity}
    queries = bank.keys[np.array([2, 0])]
    cosines, rows = bank.search_keys(queries, 2)
    assert rows[:, 0].tolist() == [2, 0]
    np.testing.assert_allclose(cosines[:, 0], 1, atol=1e-3)
    memory = bank.in_memory()
    assert memory.prompts == tuple(KEPT)
    known = memory.search_keys(queries, 2)
    np.testing.assert_allclose(known[0], cosines, atol=1e-3)
    np.testing.assert_array_equal(known[1], rows)
    near = [[piece.text for piece in line] for line in bank.nearest(memory.targets, 1)]
    assert near == [[text] for text in KEPT]
    assert [piece.text for piece in memory.nearest(memory.targets[:1], 3)[0]] == [
        piece.text for piece in bank.nearest(memory.targets[:1], 3)[0]
    ]


def test_an_artifact_says_which_bank_it_was(made: Path, tmp_path: Path) -> None:
    bank = config(made).on_disk(None, None, Runtime())
    assert bank is not None
    bank.save(tmp_path)
    bank.check(tmp_path, target_dim=32, key_dim=192)
    with pytest.raises(DataError, match="its key rows have 192 numbers, not 5"):
        bank.check(tmp_path, target_dim=32, key_dim=5)
    (tmp_path / "bank.json").write_text('{"identity": "another"}')
    with pytest.raises(DataError, match=r"bank: is not the bank that .* was made with"):
        bank.check(tmp_path, target_dim=32, key_dim=192)


class Others(HashedWords):
    @property
    def identity(self) -> str:
        return "others"


def test_a_bank_of_other_models_is_refused(
    made: Path, prompts: Path, unprompt: Command, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        config(made).on_disk(identity(CLIP), Others(), Runtime())
    assert caught.value.problems == (
        f"{made}: its targets are of the text encoder 'hashed-words-32', not of 'others'",
    )
    with pytest.raises(DataError) as caught:
        config(made).on_disk(identity(OTHER), HashedWords(), Runtime())
    assert caught.value.problems == (
        f"{made}: its keys are of {CLIP}, another backbone than the member's",
    )
    bare = tmp_path / "bare"
    unprompt("bank", "build", prompts, "-o", bare, "--text-encoder", "words")
    with pytest.raises(DataError, match="bare: has no keys to search by; `unprompt bank build"):
        config(bare).on_disk(identity(CLIP), HashedWords(), Runtime())
    assert config(bare).on_disk(None, HashedWords(), Runtime()) is not None


def test_a_dry_run_opens_no_bank(tmp_path: Path) -> None:
    runtime, missing = Runtime(dry_run=True), config(tmp_path / "missing")
    assert missing.on_disk(identity(CLIP), HashedWords(), runtime) is None
    assert missing.identity(runtime) == {"bank": "train"}
    train = example_train_set()
    assert set(missing.texts(train, runtime)) <= {record.prompt for record in train.records}
    (need,) = missing.needs()
    assert not need.here
    with pytest.raises(DataError, match="missing: no such folder"):
        missing.identity(Runtime())


@pytest.mark.parametrize("unread", [{"prompts": "a.csv"}, {"duplicates": True}])
def test_options_that_a_bank_on_disk_does_not_read(unread: dict[str, Any], made: Path) -> None:
    with pytest.raises(ValueError, match="has no effect with `folder`"):
        config(made, **unread)
