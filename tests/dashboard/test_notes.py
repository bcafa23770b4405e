"""Notes are written in optuna-dashboard's own format."""

from __future__ import annotations

from pathlib import Path

import pytest

from unprompt._search.notes import save_note
from unprompt._search.storages import open_storage

LONG = "".join(f"{i} µ\n" for i in range(2000))


@pytest.mark.parametrize("form", ["study.journal", "sqlite:///study.db"])
def test_optuna_dashboard_reads_a_note_back(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import optuna

    theirs = pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    monkeypatch.chdir(tmp_path)
    study = optuna.create_study(study_name="s", storage=open_storage(form))
    for body in ["# Short", LONG, "", "Ä" * 2045, "x" * 2046]:
        save_note(study, body)
        again = optuna.load_study(study_name="s", storage=open_storage(form))
        assert theirs.get_note(again) == body


def test_a_note_is_what_optuna_dashboard_writes() -> None:
    import optuna

    theirs = pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    ours, other = optuna.create_study(), optuna.create_study()
    for body in [LONG, "short", LONG[:3000]]:
        save_note(ours, body)
        theirs.save_note(other, body)
        attributes = [one._storage.get_study_system_attrs(one._study_id) for one in (ours, other)]
        assert attributes[0] == attributes[1]
    assert attributes[0]["dashboard:note_ver"] == 3
