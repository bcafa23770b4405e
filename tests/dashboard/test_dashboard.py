"""``unprompt dashboard``: the right study and files, one line, loopback, and a quiet end."""

from __future__ import annotations

import json
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from unprompt._cli.dashboard import find_studies
from unprompt._runs.files import CONTACT_SHEET, ENSEMBLE, IMAGES, STUDY_FILES

Command = Callable[..., Any]
MakeRun = Callable[..., Path]

FILES = (ENSEMBLE, IMAGES, CONTACT_SHEET)
DIRECT = build_opener(ProxyHandler({}))  # loopback is nothing for a proxy


def get(line: str, path: str) -> bytes:
    with DIRECT.open(line.strip() + path, timeout=60) as response:
        content: bytes = response.read()
    return content


def get_or_code(line: str, path: str) -> bytes | int:
    """The content, or the code of the answer that has none."""
    try:
        return get(line, path)
    except HTTPError as error:
        error.close()
        return error.code


def studies(line: str) -> list[str]:
    return [
        study["study_name"] for study in json.loads(get(line, "api/studies"))["study_summaries"]
    ]


def end(process: Popen[str], number: signal.Signals) -> tuple[str, str]:
    process.send_signal(number)
    return process.communicate(timeout=20)


# What is served


def test_a_run(run_folder: Path, serve: Command) -> None:
    with serve(run_folder, "--port", "0") as (process, line):
        host, _, port = line.strip().removeprefix("http://").rstrip("/").partition(":")
        assert line == f"http://127.0.0.1:{port}/\n" and host == "127.0.0.1"
        assert b"<title>Optuna Dashboard</title>" in get(line, "")
        assert studies(line) == ["made"]
        detail = json.loads(get(line, "api/studies/0"))
        assert len(detail["trials"]) == 30
        assert detail["note"]["body"].startswith("# made\n")
        ids = {artifact["filename"]: artifact["artifact_id"] for artifact in detail["artifacts"]}
        assert set(ids) == {ENSEMBLE, IMAGES, CONTACT_SHEET}
        for name, artifact_id in ids.items():
            assert get(line, f"artifacts/0/{artifact_id}") == (run_folder / name).read_bytes()
        with pytest.raises(HTTPError, match="404") as caught:
            get(line, "artifacts/0/abc")
        caught.value.close()
        assert end(process, signal.SIGTERM) == ("", "")
        assert process.returncode == 0


def test_control_c_ends_it_quietly(run_folder: Path, serve: Command) -> None:
    with serve(run_folder / "study.journal", "--port", "0") as (process, line):
        assert studies(line) == ["made"]
        assert json.loads(get(line, "api/meta"))["artifact_is_available"]
        with socket.create_connection(("127.0.0.1", int(line.strip(" /\n").rpartition(":")[2]))):
            assert end(process, signal.SIGINT) == ("", "")  # a browser that holds on is no reason
        assert process.returncode == 130


@pytest.mark.parametrize("form", ["FOLDER/all.journal", "sqlite:///FOLDER/all.db"])
def test_a_run_whose_study_is_elsewhere(
    form: str, make_run: MakeRun, tmp_path: Path, serve: Command
) -> None:
    storage = form.replace("FOLDER", str(tmp_path))
    folder = make_run(storage=storage, study="elsewhere")
    assert find_studies(str(folder)) == (storage, folder / STUDY_FILES)
    with serve(folder, "--port", "0", "--artifacts", folder / STUDY_FILES) as (process, line):
        assert studies(line) == ["elsewhere"]
        assert end(process, signal.SIGTERM) == ("", "")


def test_the_files_of_two_runs_on_one_study(
    finished_run: MakeRun, tmp_path: Path, serve: Command
) -> None:
    runs = tmp_path / "runs"
    storage = str(tmp_path / "all.journal")
    for name, trials in (("first", 30), ("second", 31)):
        shutil.copytree(finished_run(storage=storage, study="both", trials=trials), runs / name)
    wanted = {(runs / name / file).read_bytes() for name in ("first", "second") for file in FILES}
    for gone in (False, True):
        if gone:
            shutil.rmtree(runs / "first")
        with serve(runs / "second", "--port", "0") as (process, line):
            ids = [
                artifact["artifact_id"]
                for artifact in json.loads(get(line, "api/studies/0"))["artifacts"]
            ]
            assert len(ids) == 6
            answers = [get_or_code(line, f"artifacts/0/{artifact_id}") for artifact_id in ids]
            assert end(process, signal.SIGTERM) == ("", "")
        if gone:
            assert answers.count(404) == 3
            assert {content for content in answers if content != 404} <= wanted
        else:
            assert set(answers) == wanted


def test_a_study_that_is_no_longer_the_runs_is_not_shown(
    make_run: MakeRun, tmp_path: Path, mistake: Callable[..., str]
) -> None:
    import optuna

    storage = f"sqlite:///{tmp_path}/gone.db"
    folder = make_run(storage=storage, study="mine")
    optuna.delete_study(study_name="mine", storage=storage)
    assert mistake(folder) == f"{folder}: its study 'mine' is not in {storage}"
    optuna.create_study(study_name="mine", storage=storage, direction="minimize")
    line = mistake(folder)
    assert line.startswith(f"search.study: 'mine' in {storage} minimizes, and a search maximizes")


def test_a_run_that_was_moved_has_its_study_with_it(
    make_run: MakeRun, tmp_path: Path, serve: Command
) -> None:
    moved = make_run().rename(tmp_path / "moved")
    with serve(moved, "--port", "0") as (process, line):
        assert studies(line) == ["made"]
        assert end(process, signal.SIGTERM) == ("", "")


def test_a_chosen_port_and_a_host_that_is_asked_for(run_folder: Path, serve: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with serve(run_folder, "--port", port, "--host", "localhost") as (_, line):
        assert line == f"http://localhost:{port}/\n"
        assert studies(line) == ["made"]


# Which storage is meant


def test_a_run_or_its_journal_comes_with_artifacts(run_folder: Path, tmp_path: Path) -> None:
    journal, folder = str(run_folder / "study.journal"), run_folder / STUDY_FILES
    for source in (str(run_folder), journal, f"journal://{journal}"):
        storage, artifacts = find_studies(source)
        assert storage.removeprefix("journal://") == journal and artifacts == folder
    assert find_studies("sqlite:///study.db") == ("sqlite:///study.db", None)
    assert find_studies(str(tmp_path / "none")) == (str(tmp_path / "none"), None)


def test_a_search_alone_has_its_own_journal(tmp_path: Path) -> None:
    (tmp_path / "study.journal").touch()
    assert find_studies(str(tmp_path)) == (str(tmp_path / "study.journal"), None)


def test_a_run_may_name_its_own_journal(make_run: MakeRun, edit_json: Command) -> None:
    folder = make_run()
    journal = str(folder / "study.journal")
    edit_json(folder / "scores.json", lambda scores: scores["search"].update(storage=journal))
    assert find_studies(str(folder)) == (journal, folder / STUDY_FILES)


# Mistakes


@pytest.fixture
def mistake(unprompt: Command) -> Callable[..., str]:
    """Run the command, which must fail as a user's mistake does; gives the one line."""

    def fail(*words: str | Path | int) -> str:
        done = unprompt("dashboard", *map(str, words))
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        (line,) = done.stderr.splitlines()
        return str(line)

    return fail


def test_sources_that_are_none(
    tmp_path: Path, make_run: MakeRun, mistake: Callable[..., str]
) -> None:
    line = mistake(tmp_path)
    assert line == f"{tmp_path}: not a run's folder: there is no study.journal in it"
    assert mistake(tmp_path / "none").endswith(": there is no such file")
    assert mistake(f"sqlite:///{tmp_path}/none.db").endswith(": there is no such file")
    assert "unknown kind of storage 'http'" in mistake("http://host")
    assert list(tmp_path.iterdir()) == []
    scores = make_run() / "scores.json"
    scores.write_text("{")
    assert mistake(scores.parent).startswith(f"{scores}: ")
    scores.write_text("{}")
    assert mistake(scores.parent).startswith(f"{scores}: ")


def test_a_run_keeps_no_passwords(
    make_run: MakeRun, edit_json: Command, mistake: Callable[..., str]
) -> None:
    folder, storage = make_run(), "postgresql://me:**********@host/db"
    edit_json(folder / "scores.json", lambda scores: scores["search"].update(storage=storage))
    assert mistake(folder) == (
        f"{folder}: its study is in {storage}, and a run keeps no passwords: "
        f"give the whole URL, and --artifacts {folder / STUDY_FILES}"
    )


def test_a_folder_of_files_has_to_be_there(run_folder: Path, mistake: Callable[..., str]) -> None:
    missing = run_folder / "none"
    line = mistake(run_folder, "--artifacts", missing)
    assert line == f"--artifacts {missing}: there is no such folder"


def test_an_address_that_cannot_be(run_folder: Path, mistake: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        line = mistake(run_folder, "--port", port)
    assert line.startswith(f"--port {port}: in use on 127.0.0.1; choose another")
    line = mistake(run_folder, "--port", 0, "--host", "no-such-host.invalid")
    assert line.startswith("--host no-such-host.invalid --port 0: cannot listen there: ")
    assert "cannot listen there" in mistake(run_folder, "--port", 0, "--host", "203.0.113.1")
    for host in ("", " "):  # for the system, every interface
        line = mistake(run_folder, "--port", 0, "--host", host)
        assert line == "--host: is empty; every interface is 0.0.0.0"
