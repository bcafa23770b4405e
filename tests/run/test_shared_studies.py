"""Studies that several commands or hosts share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from unprompt._search.storages import open_storage

ScoresOf = Callable[[Path], dict[str, Any]]
WritePair = Callable[..., Path]
RunFolder = Callable[..., Path]
Command = Callable[..., CompletedProcess[str]]


def test_search_alone_fills_a_study_that_a_run_then_reads(
    unprompt: Command,
    tmp_path: Path,
    scores_of: ScoresOf,
    write_pair: WritePair,
    run_folder: RunFolder,
) -> None:
    import optuna

    storage = tmp_path / "shared.journal"
    path = write_pair("storage: shared.journal, study: pair")
    done = unprompt("search", path, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "study pair: 12 finished trials" in done.stdout
    assert done.stdout.splitlines()[-1] == str(storage)
    again = unprompt("search", path, "--quiet", "--workers", "2", "--set", "search.trials=20")
    assert again.returncode == 0, again.stderr
    assert "study pair: 20 finished trials" in again.stdout
    folder = run_folder(path, "--set", "search.trials=20")
    scores = scores_of(folder)
    assert scores["search"]["trials"] == 20
    assert not (folder / "study.journal").exists()
    best = optuna.load_study(study_name="pair", storage=open_storage(storage)).best_value
    assert scores["search"]["best_value"] == best


def test_a_study_on_changed_predictions_is_refused(
    unprompt: Command, tmp_path: Path, write_pair: WritePair
) -> None:
    path = write_pair("storage: shared.journal, study: pair")
    assert unprompt("search", path, "--quiet").returncode == 0
    changed = write_pair("storage: shared.journal, study: pair", "changed.yaml")
    changed.write_text(changed.read_text().replace("neighbours: 20", "neighbours: 21"))
    done = unprompt("run", changed, "--quiet")
    assert done.returncode == 2
    assert "made with other predictions of knn-vit-h: its trials cannot be" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_host_with_another_batch_size_joins_a_study(
    unprompt: Command, tmp_path: Path, write_pair: WritePair
) -> None:
    path = write_pair("storage: shared.journal, study: pair")
    for size in (64, 16, 7):
        # A cache of its own, as on another host: the batch size is not part of a key.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / f"cache-{size}"))
            done = unprompt("search", path, "--quiet", "--set", f"runtime.batch_size={size}")
        assert done.returncode == 0, done.stderr
        assert len(list((tmp_path / f"cache-{size}").rglob("*.safetensors"))) > 0


def test_search_alone_prints_the_options_that_it_chose_and_leaves_a_note(
    unprompt: Command, tmp_path: Path, write_pair: WritePair
) -> None:
    import optuna
    from optuna_dashboard._note import get_note_from_system_attrs

    space = "space: {knn-vit-h: {neighbours: [5, 60], kernel.temperature: [2, 30]}}"
    done = unprompt("search", write_pair(space), "--quiet")
    assert done.returncode == 0, done.stderr
    journal = tmp_path / "runs" / "two" / "study.journal"
    study = optuna.load_study(study_name="two", storage=open_storage(journal))
    best = study.best_params
    neighbours, temperature = (
        best[f"knn-vit-h.{option}"] for option in ("neighbours", "kernel.temperature")
    )
    line = f"options of knn-vit-h: neighbours: {neighbours}, kernel.temperature: {temperature}"
    assert line in done.stdout.splitlines()
    attributes = study._storage.get_study_system_attrs(study._study_id)
    note = get_note_from_system_attrs(attributes, None)["body"]
    chosen = f"neighbours {neighbours}, kernel.temperature {temperature}"
    assert f"- Options of knn-vit-h: {chosen}." in note
    assert f"- Best trial: {study.best_trial.number} with {study.best_value:.6f};" in note
    assert "- Images: 144 train, 48 holdout." in note
    assert "Nothing was scored on test" in note
