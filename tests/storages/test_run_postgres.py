"""A whole run on a PostgreSQL study: what it leaves behind can be passed on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from .conftest import PASSWORD

pytestmark = pytest.mark.slow

EXPERIMENT = """\
name: one
data:
  plugin: painter
  options: {seed: 7, images: 120, size: 64}
ensemble:
  name: single
  members:
    - plugin: clip-l14
      options: {backbone: {folder: package:unprompt_painter/checkpoints/vision-a}}
search: {trials: 3, study: passed-on}
score: {wordings: 2}
"""


def test_a_run_keeps_no_password_in_any_file(
    postgres_url: str, unprompt: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(EXPERIMENT)
    done = unprompt("run", path, "--quiet", "--set", f"search.storage={postgres_url}")
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.splitlines()[-1])
    masked = postgres_url.replace(PASSWORD, "**********").partition("://")[2]
    for name in ("experiment.yaml", "manifest.json", "scores.json"):
        assert masked in (folder / name).read_text(), name
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 10
    assert not [file for file in files if PASSWORD.encode() in file.read_bytes()]
    assert PASSWORD not in done.stdout + done.stderr
