"""Secrets of options, variables and URLs: used, and neither written nor shown."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from unprompt import UnpromptError, _masking
from unprompt._cli.console import MaskingFormatter
from unprompt._config.compose import compose
from unprompt._masking import MASK, masked, masked_command, masked_url
from unprompt._registry.loading import load_experiment
from unprompt._registry.plugins import Registry

Command = Callable[..., CompletedProcess[str]]

VAULT = '''
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, Field, SecretStr, field_validator

from noisy_plugin import MemberOptions, NoisyMember
from unprompt import Batch, Images, Model, PredictorSpec, TrainSet, hookimpl


class Account(Model):
    """Who is asking."""

    key: SecretStr = Field(default=SecretStr(""), min_length=0, description="A key.")


class Options(Model):
    """All kinds of secrets."""

    noise: float = Field(default=0.2, description="As of noisy.")
    seed: int = Field(default=0, description="As of noisy.")
    token: SecretStr | None = Field(default=None, description="A secret.")
    accounts: list[Account] = Field(default=[], description="More of them.")
    url: str = Field(default="", description="May hold a password.")
    header: str = Field(default="", description="Any text.")
    most: int = Field(default=3, le=9, description="A number.")
    wanted: str = Field(default="", description="What the token has to be.")

    @field_validator("header")
    @classmethod
    def _short(cls, header: str) -> str:
        if len(header) > 40:
            raise ValueError(f"{header} is too long")
        return header


class Member(NoisyMember):
    def prepare(self, train: TrainSet, artifact: Path) -> None:
        options = self.options
        token = options.token.get_secret_value() if options.token else ""
        if token != options.wanted.replace("-", ""):
            raise RuntimeError(f"the server refused {token} at {options.url}")
        super().prepare(train, artifact)


@hookimpl
def unprompt_predictor() -> PredictorSpec:
    return PredictorSpec("vault", "asks a server", Options, f"{__name__}:Member")
'''
TOKEN, PLAIN = "tok3n+of/mine", "plain-variable-text"
URL, SAFE = "https://me:pass/w@rd@host/x", f"https://me:{MASK}@host/x"


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a process that knows no secret yet."""
    monkeypatch.setattr(_masking, "_known", {})
    monkeypatch.setattr(_masking, "_secrets", set())


@pytest.fixture
def _plugins(install_plugin: Callable[..., Path]) -> None:
    install_plugin("noisy", (Path(__file__).parents[1] / "noisy_plugin.py").read_text())
    install_plugin("vault", VAULT)


@pytest.fixture
def write(tmp_path: Path, _plugins: None) -> Callable[..., Path]:
    """``write(**options)``: an experiment with one member of `VAULT` beside a usual one."""

    def made(search: dict[str, Any] | None = None, **options: Any) -> Path:
        content = {
            "name": "secret",
            "data": {
                "plugin": "noisy",
                "options": {"test": 20, "wordings": False, "prompts": {}, "suffix": ""},
            },
            "ensemble": {
                "text_encoder": {"plugin": "noisy"},
                "members": [
                    {"name": "usual", "plugin": "noisy", "options": {"noise": 0.1, "seed": 1}},
                    {"name": "asks", "plugin": "vault", "options": options},
                ],
            },
            "search": {"trials": 3, "sampler": "random", **(search or {})},
        }
        path = tmp_path / "secret.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return made


def problems(path: Path, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(UnpromptError) as caught:
        load_experiment(path, Registry(), overrides)
    return caught.value.problems


def holding(folder: Path, *secrets: str) -> list[str]:
    """The files that hold one of them."""
    return [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets)
    ]


def test_a_run_keeps_no_secret_and_reads_variables_again(
    write: Callable[..., Path],
    unprompt: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    monkeypatch.setenv("VAULT_HEADER", PLAIN)
    monkeypatch.setenv("VAULT_MOST", "7")
    database = tmp_path / "a-private-name.journal"
    monkeypatch.setenv("VAULT_STUDY", str(database))
    path = write(
        search={"storage": {"$env": "VAULT_STUDY"}},
        token={"$env": "VAULT_TOKEN"},
        wanted="tok3n+of/mi-ne",
        header={"$env": "VAULT_HEADER"},
        most={"$env": "VAULT_MOST"},
        url=URL,
        accounts=[{"key": "k3y"}],
    )
    word = f"ensemble.members.asks.options.url={URL}"
    done = unprompt("run", path, "--set", word, "--output", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    assert holding(run, TOKEN, PLAIN, "pass/w", "a-private-name", "k3y") == []
    assert database.is_file()
    kept = yaml.safe_load((run / "experiment.yaml").read_text())
    options = kept["ensemble"]["members"][1]["options"]
    assert options["token"] == {"$env": "VAULT_TOKEN"}
    assert (options["header"], options["most"]) == (
        {"$env": "VAULT_HEADER"},
        {"$env": "VAULT_MOST"},
    )
    assert (options["url"], options["accounts"]) == (SAFE, [{"key": MASK}])
    assert kept["search"]["storage"] == {"$env": "VAULT_STUDY"}
    assert json.loads((run / "scores.json").read_text())["search"]["storage"] == (
        "{$env: VAULT_STUDY}"
    )
    command = json.loads((run / "manifest.json").read_text())["command"]
    assert f"ensemble.members.asks.options.url={SAFE}" in command

    lines = problems(run / "experiment.yaml")
    todo = "is masked, as no secret is kept: set it with `--set ensemble.members.asks.options."
    assert [line.partition(": ")[2] for line in lines] == [
        f"ensemble.members.1.options.{key}: {todo}{key}=...`, or write {{$env: NAME}} there"
        for key in ("accounts.0.key", "url")
    ]
    given = [f"ensemble.members.asks.options.{what}" for what in ("accounts.0.key=k3y", "url=x")]
    monkeypatch.setenv("VAULT_MOST", "8")
    again = load_experiment(run / "experiment.yaml", Registry(), given)
    member = again.ensemble.members[1].part.options.model_dump()
    assert member["token"].get_secret_value() == TOKEN
    assert (member["header"], member["most"]) == (PLAIN, 8)
    assert again.config.search.storage == str(database)


def test_results_depend_on_what_variables_give_and_not_on_secrets(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def keyed(token: str, header: str) -> dict[str, Any]:
        monkeypatch.setenv("VAULT_TOKEN", token)
        monkeypatch.setenv("VAULT_HEADER", header)
        path = write(token={"$env": "VAULT_TOKEN"}, header={"$env": "VAULT_HEADER"})
        key = load_experiment(path, Registry()).ensemble.members[1].part.keyed()
        return dict(key)

    first = keyed(TOKEN, PLAIN)
    assert TOKEN not in str(first) and PLAIN not in str(first)
    assert keyed("another-token", PLAIN) == first
    assert keyed(TOKEN, "other-header-text") != first


def test_an_error_of_a_plugin_shows_no_secret(write: Callable[..., Path]) -> None:
    path, secret = write(token="se3ret-of-this-test", url=URL), "se3ret-of-this-test"
    program = "from unprompt._cli.app import main; main()"
    words = [sys.executable, "-c", program, "run", str(path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode in (1, 2)
    assert f"the server refused {MASK} at {SAFE}" in done.stderr
    assert secret not in done.stderr + done.stdout


def test_a_log_line_shows_no_secret(write: Callable[..., Path]) -> None:
    load_experiment(write(token=TOKEN), Registry())
    record = logging.LogRecord("x", logging.WARNING, "x", 1, "token %s", (TOKEN,), None)
    assert MaskingFormatter("%(message)s").format(record) == f"token {MASK}"


def test_a_variable_that_is_missing_is_named_with_its_place(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_THING", raising=False)
    path = write(token={"$env": "NO_SUCH_THING"})
    line_number = 1 + path.read_text().splitlines().index("      token:")
    (line,) = problems(path)
    assert line == (
        f"{path}:{line_number}:7: ensemble.members.1.options.token: the environment variable "
        "NO_SUCH_THING is not set"
    )


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("name={$env: HOME}", "name: `$env` can be used for values in options and for search."),
        ("ensemble.members.asks.options={$env: HOME}", "`$env` can be used for values in"),
        (
            "ensemble.members.asks.options.url={$env: HOME, x: 1}",
            "`$env` stands alone, and there is 'x' beside it",
        ),
        (
            "ensemble.members.asks.options.url={$env: a b}",
            "`$env` should be the name of an environment variable, got 'a b'",
        ),
    ],
)
def test_references_that_are_none(write: Callable[..., Path], override: str, what: str) -> None:
    (line, *_) = problems(write(), override)
    assert what in line


def test_an_included_reference_is_replaced_as_one_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRST_ONE", "first value")
    (tmp_path / "base.yaml").write_text("a: {options: {x: {$env: FIRST_ONE}, y: {z: 1}}}\n")
    top = tmp_path / "top.yaml"
    top.write_text("include: base.yaml\na: {options: {x: {q: 1}, y: {$env: FIRST_ONE}}}\n")
    source = compose(top)
    assert source.problems == []
    assert source.data == {"a": {"options": {"x": {"q": 1}, "y": "first value"}}}


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("most={$env: VAULT_MOST}", "most: should be at most 9, got {$env: VAULT_MOST}"),
        ("header={$env: VAULT_LONG}", "header: {$env: VAULT_LONG} is too long"),
        ("most={$env: VAULT_LONG}", "most: should be a whole number, got {$env: VAULT_LONG}"),
        ("token=31415926", f"token: should be text, got {MASK}"),
        (
            f"token={{hidden: {TOKEN}}}",
            f"--set ensemble.members.asks.options.token={{hidden: {MASK}",
        ),
    ],
)
def test_mistakes_do_not_show_the_value(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, override: str, what: str
) -> None:
    monkeypatch.setenv("VAULT_MOST", "10")
    monkeypatch.setenv("VAULT_LONG", "long-" * 10)
    (line,) = problems(write(), f"ensemble.members.asks.options.{override}")
    assert what in line
    assert "31415926" not in line and TOKEN not in line and "long-" not in line


def test_a_searched_option_leaves_secrets_as_they_are(write: Callable[..., Path]) -> None:
    from unprompt._members.member import changed_member

    ensemble = load_experiment(write(token=TOKEN), Registry()).ensemble
    changed = changed_member(ensemble.members[1], {"noise": 0.5})
    options = changed.part.options.model_dump()
    assert (options["noise"], options["token"].get_secret_value()) == (0.5, TOKEN)


def test_what_config_show_prints_can_be_read_again(
    write: Callable[..., Path],
    unprompt: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    done = unprompt("config", "show", write(token={"$env": "VAULT_TOKEN"}))
    assert TOKEN not in done.stdout
    (tmp_path / "shown.yaml").write_text(done.stdout)
    again = unprompt("config", "show", tmp_path / "shown.yaml")
    assert again.stdout == done.stdout


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://host:8080/files/@latest", None),
        ("git+https://host:443/x@1.0", None),
        ("mail me@host: no password", None),
        ("postgresql://me@host/db", None),
        ("such as postgresql://USER:PASSWORD@HOST", None),
        ("ftp://me:secret@host, and x@y", f"ftp://me:{MASK}@host, and x@y"),
        ("redis://:s@e/c@h/0 down", f"redis://:{MASK}@h/0 down"),
        ("https://h/x?a=1&token=abc&b=2", f"https://h/x?a=1&token={MASK}&b=2"),
    ],
)
def test_passwords_of_urls_in_any_text(text: str, shown: str | None) -> None:
    assert masked(text) == (text if shown is None else shown)
    assert masked(masked(text)) == masked(text)


def test_a_short_secret_is_hidden_where_it_is_a_whole_value(write: Callable[..., Path]) -> None:
    load_experiment(write(token="abc"), Registry())
    assert masked_command(["run", "--set", "x.token=abc", "abcdef"]) == (
        "run", "--set", f"x.token={MASK}", "abcdef"
    )  # fmt: skip
    assert masked_url("postgresql://me:123/x@host/db") == f"postgresql://me:{MASK}@host/db"
