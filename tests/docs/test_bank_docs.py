"""The blocks of plugins/knn.md on banks: they are run as they stand, on prompts of this test."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from unprompt.bank import StoredBank
from unprompt.testing import HashedWords
from unprompt_knn.options import KnnOptions

Command = Callable[..., CompletedProcess[str]]

GUIDE = Path(__file__).parents[2] / "plugins" / "knn.md"
PROMPTS = [f"{what} {where}" for what in ("a red fox", "two owls", "an old robot")
           for where in ("in the snow", "at night", "on the moon", "by the sea")]  # fmt: skip


@pytest.fixture(scope="module")
def blocks() -> dict[str, str]:
    fenced = re.findall(r"<!-- ([\w ]+) -->\n```\w+\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    assert [name for name, _ in fenced] == ["bank commands", "bank member", "bank python"]
    return dict(fenced)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With prompts, some of them twice, and one that is blocked."""
    lines = ["prompt", *PROMPTS, *PROMPTS[:3], "NSFW fox"]
    (tmp_path / "prompts.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "more").mkdir()
    pq.write_table(pa.table({"prompt": ["a bee", "owl"]}), tmp_path / "more" / "a.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands(blocks: dict[str, str], folder: Path, unprompt: Command) -> None:
    printed = []
    for line in blocks["bank commands"].splitlines():
        program, *words = shlex.split(line)
        assert program == "unprompt"
        done = unprompt(*words)  # which expands globs itself
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    bank = StoredBank.open(folder / "bank")
    assert {text for texts, _ in bank.prompts() for text in texts} <= {*PROMPTS, "a bee"}
    assert bank.keys
    assert re.search(r"^left out: block \(\?i\)nsfw +1$", printed[0], re.MULTILINE)
    assert "in the snow" in printed[-1].splitlines()[1]


def test_the_member(blocks: dict[str, str]) -> None:
    member = yaml.safe_load(blocks["bank member"])
    options = KnnOptions.model_validate(member["options"])
    assert options.bank.folder is not None and options.bank.folder.path.name == "bank"


def test_the_python_block(blocks: dict[str, str], folder: Path) -> None:
    script, shown = folder / "block.py", io.StringIO()
    script.write_text(blocks["bank python"])
    with contextlib.redirect_stdout(shown):
        runpy.run_path(str(script))
    lines = shown.getvalue().splitlines()
    bank = StoredBank.open(folder / "bank")
    kept, repeated = len(bank), len(PROMPTS) + 3 - len(bank)
    assert lines[0] == f"{len(PROMPTS) - kept} of {len(PROMPTS)} prompts are near another one"
    assert lines[1] == f"{kept} prompts; {repeated} repetitions; {bank.text(0)}"
    hits = [line.split(" ", 2) for line in lines[3:6]]
    cosines = [float(cosine) for cosine, _, _ in hits]
    assert cosines == sorted(cosines, reverse=True) and hits[0][2].endswith("fox in the snow")
    assert lines[6].startswith(f"recall@10 1.0000 on {kept} queries")
    assert np.isclose(np.linalg.norm(bank.take("keys", [0])), 1)
    assert HashedWords().dim != bank.manifest.target_dim  # the block uses the real text encoder


def test_every_public_name_of_banks_is_there_and_documented() -> None:
    import unprompt.bank as banks

    assert banks.__all__ == sorted(banks.__all__)
    for name in banks.__all__:
        assert getattr(banks, name).__doc__, name
    assert set(dir(banks)) == set(banks.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = banks.nothing
