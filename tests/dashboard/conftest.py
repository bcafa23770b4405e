"""A folder as a run leaves it, with a real study, and ``unprompt dashboard`` in a process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unprompt import unit
from unprompt._runs.files import STUDY_FILES
from unprompt._search.storages import open_storage

Serve = Callable[..., AbstractContextManager[tuple[subprocess.Popen[str], str]]]

STUDY = "small-blend"
NOTE = (
    "# Blend of two\n\n| member | weight |\n|---|---|\n| knn | 0.7 |\n\nRepeat with `unprompt run`."
)
# A shell gives background jobs an interrupt signal that does nothing.
PROGRAM = """\
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from unprompt._cli.app import main
main()
"""


def make_study(storage: str | Path, trials: int, name: str = STUDY) -> None:
    """The weights of two members that know different things of 200 targets."""
    import optuna

    rng = np.random.default_rng(0)
    targets = unit(rng.normal(size=(200, 16)))
    members = [unit(targets + rng.normal(size=targets.shape) * noise) for noise in (0.3, 0.45)]

    def objective(trial: optuna.Trial) -> float:
        weights = [trial.suggest_float(f"weight.{name}", 0, 1) for name in ("knn", "clip")]
        blend = unit(sum(w * rows for w, rows in zip(weights, members, strict=True)))
        return float((blend * targets).sum(1).mean())

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=0)
    opened = open_storage(storage)
    study = optuna.create_study(
        study_name=name, storage=opened, sampler=sampler, direction="maximize"
    )
    with pytest.warns(optuna.exceptions.ExperimentalWarning, match="set_metric_names"):
        study.set_metric_names(["held-out cosine"])
    study.optimize(objective, trials)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the dashboard needs of a run: a study of 30 trials, a note, and an image."""
    import optuna
    from optuna.artifacts import FileSystemArtifactStore, upload_artifact
    from optuna_dashboard import save_note

    folder = tmp_path_factory.mktemp("run")
    make_study(folder / "study.journal", 30)
    study = optuna.load_study(study_name=STUDY, storage=open_storage(folder / "study.journal"))
    save_note(study, NOTE)
    ramp = np.linspace(0, 255, 120, dtype=np.uint8)
    red, green = np.broadcast_to(ramp, (90, 120)), np.broadcast_to(ramp[:90, None], (90, 120))
    pixels = np.stack([red, green, np.full_like(red, 90)], axis=2)
    Image.fromarray(pixels).save(folder / "contact.png")
    (folder / STUDY_FILES).mkdir()
    store = FileSystemArtifactStore(str(folder / STUDY_FILES))
    path = str(folder / "contact.png")
    upload_artifact(artifact_store=store, study_or_trial=study, file_path=path)
    (folder / "manifest.json").write_text("{}")
    (folder / "scores.json").write_text(json.dumps({"search": {"storage": None}}))
    return folder


@pytest.fixture(scope="session")
def serve() -> Serve:
    """``with serve(*arguments) as (process, line)``: the command, and what it says it serves."""

    @contextmanager
    def start(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
        command = [sys.executable, "-c", PROGRAM, "dashboard", *map(str, arguments)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
            assert process.stdout is not None
            try:
                line = process.stdout.readline()
                assert line, process.communicate()
                yield process, line
            finally:
                process.kill()

    return start
