"""A distribution of somebody else, with a plugin of each kind, in a fresh environment."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent
NAMES = {
    "palette-ridge": "predictor",
    "palette-horizons": "dataset",
    "palette-trigrams": "text_encoder",
    "palette-sqlite": "observer",
}
MEMBERS = ("palette-ridge", "palette-coarse", "knn-vit-h")


@pytest.fixture
def installed(fresh: Any, build: Callable[[Path], Path]) -> Any:
    """A fresh environment with our wheel and the distribution's."""
    fresh.run("pip", "install", build(HERE / "palette"))
    shutil.copy(HERE / "palette" / "horizons.yaml", fresh.home)
    return fresh


def select(database: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    return database.execute(query).fetchall()


@pytest.mark.slow
def test_a_plugin_of_each_kind_from_installation_to_prediction(installed: Any) -> None:
    check_listing(installed)
    folder = Path(installed.run("unprompt", "run", "horizons.yaml").splitlines()[-1])
    with pytest.raises(AssertionError, match="split"):  # three images are too few
        installed.run("unprompt", "run", "horizons.yaml", "--set", "data.options.images=3")
    test = json.loads((folder / "scores.json").read_text())["test"]
    means = {name: member["score"] for name, member in test["members"].items()}
    assert tuple(means) == MEMBERS
    # The fine histogram tells colours apart that the coarse one mixes up.
    assert test["floor"] < means["palette-coarse"] < means["palette-ridge"] < test["oracle"]
    assert test["ensemble"]["score"] > max(means.values()) - 0.01
    manifest = json.loads((folder / "manifest.json").read_text())
    owners = {(own["distribution"], own["version"]) for own in map(manifest["plugins"].get, NAMES)}
    assert owners == {("unprompt-palette", "1.2.0")}
    assert manifest["text_encoder"] == "unprompt-palette/trigrams-1/256"
    check_database(installed.home / "logs" / "runs.sqlite", folder, means, test)
    check_predictions(installed, folder)


def check_listing(installed: Any) -> None:
    """Every plugin loads and is shown."""
    rows = json.loads(installed.run("unprompt", "plugins", "--check", "--json"))
    own = {row["name"]: row for row in rows if row["distribution"] == "unprompt-palette"}
    assert {name: row["offers"] for name, row in own.items()} == {
        name: [kind] for name, kind in NAMES.items()
    }
    assert {row["version"] for row in own.values()} == {"1.2.0"}
    shown = installed.run("unprompt", "plugins", "show", "palette-sqlite")
    assert "from unprompt-palette 1.2.0" in shown
    assert "path: path/to/path  # required" in shown


def check_database(path: Path, folder: Path, means: dict[str, float], test: Any) -> None:
    """The observer's tables say what the run's files say, and that the other run failed."""
    with closing(sqlite3.connect(path)) as database:
        runs = select(database, "SELECT id, name, folder, state FROM runs ORDER BY id")
        assert runs == [
            (1, "horizons", str(folder), "finished"),
            (2, "horizons", None, "failed"),
        ]
        stored = select(database, "SELECT member, score FROM scores WHERE run = 1")
        assert dict(stored) == {**means, "ensemble": test["ensemble"]["score"]}
        query = "SELECT member, COUNT(DISTINCT image_id) FROM predictions "
        query += "WHERE run = 1 AND split = 'test' GROUP BY member"
        assert dict(select(database, query)) == dict.fromkeys(MEMBERS, test["images"])


def check_predictions(installed: Any, folder: Path) -> None:
    """The run's folder predicts files: D = 256, and the prompts name the colours."""
    code = "from unprompt_palette.horizons import Horizons; "
    code += "from unprompt_palette.plugin_horizons import HorizonOptions as O; "
    code += "d = Horizons(O(images=170)); "
    code += "[d.open(r.image_id).save(r.image_id + '.png') for r in d.records()[160:]]; "
    code += "print(*[r.prompt for r in d.records()[160:]], sep='\\n')"
    prompts = installed.run("python", "-c", code).splitlines()
    installed.run("unprompt", "predict", folder, "horizon-*.png", "-o", "out.jsonl")
    lines = [json.loads(line) for line in (installed.home / "out.jsonl").read_text().splitlines()]
    assert [line["image_id"] for line in lines] == [f"horizon-{i:04d}" for i in range(160, 170)]
    assert {np.shape(line["embedding"]) for line in lines} == {(256,)}
    named = sum(
        {true.split()[0], true.split()[3]} <= set(line["prompt"].split())
        for true, line in zip(prompts, lines, strict=True)
    )
    assert named >= 5, "of ten images, whose two colours are any of twelve"
