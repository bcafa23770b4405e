"""Only a run calls lifecycle hooks, as plugins/README.md says; no other command does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from PIL import Image

HookCalls = Callable[[], list[list[object]]]
Command = Callable[..., CompletedProcess[str]]


def test_other_commands_call_no_lifecycle_hook(
    installed: Path, unprompt: Command, solo: Path, hook_calls: HookCalls, tmp_path: Path
) -> None:
    run, again = (Path(unprompt("run", solo).stdout.splitlines()[-1]) for _ in range(2))
    heard = hook_calls()
    assert len(heard) == 2 * 4  # started, predicted twice, finished
    Image.new("RGB", (32, 32), (90, 20, 20)).save(tmp_path / "red.png")
    (tmp_path / "prompts.csv").write_text("imgId,prompt\nred,a red wall\n")
    for command in (
        ["predict", run, tmp_path / "red.png", "-o", tmp_path / "red.csv", "--quiet"],
        ["score", tmp_path / "red.csv", tmp_path / "prompts.csv", "--quiet"],
        ["search", solo, "--storage", tmp_path / "study.journal", "--quiet"],
        ["check", run],
        ["report", run],
        ["compare", run, again],
        ["config", "validate", solo],
        ["plugins", "--check"],
        ["plugins", "show", "grey"],
    ):
        done = unprompt(*command)
        assert done.returncode == 0, done.stderr
        assert hook_calls() == heard, command
