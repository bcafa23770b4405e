"""A new plugin of each kind, in a fresh environment, by what the guide says to type."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from unprompt._scaffold.write import KINDS

GUIDE = Path(__file__).resolve().parents[2] / "plugins" / "README.md"


def typed(kind: str) -> list[str]:
    """The commands of the guide, for another kind."""
    text = GUIDE.read_text(encoding="utf-8")
    (body,) = re.findall(r"<!-- new plugin -->\n```bash\n(.*?)```", text, flags=re.DOTALL)
    assert "--kind predictor" in body
    return [str(line) for line in body.replace("--kind predictor", f"--kind {kind}").splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_passes_its_tests_and_runs_its_example(fresh: Any, kind: str) -> None:
    shown = fresh.run("bash", "-euo", "pipefail", "-c", "\n".join(typed(kind)))
    (summary,) = re.findall(r" (\d+) passed.* in ", shown)
    assert int(summary) > 10
    assert f"{kind.replace('-', ' ')}: " in shown
    assert "demo: from unprompt-demo 0.1.0" in shown

    folder = fresh.home / "demo"
    run = Path(shown.splitlines()[-1])
    assert (folder / run).parent == folder / "examples" / "runs" / "demo"
    scores = json.loads((folder / run / "scores.json").read_text())["test"]
    assert "knn-vit-h" in scores["members"]
    assert ("demo" in scores["members"]) == (kind == "predictor")
    if kind == "observer":
        (line,) = (folder / "examples/runs/scores.jsonl").read_text().splitlines()
        assert json.loads(line)["score"] == scores["ensemble"]["score"]
