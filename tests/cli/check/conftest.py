"""A light family, a small ensemble, and the tables that ``unprompt check`` prints."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]

PLUGIN = """
from pydantic import Field
from unprompt import Model, PredictorSpec, TextEncoderSpec, hookimpl

class Options(Model):
    log: str = Field(description="Where to say how it went.")
    fault: str = Field(default="", description="What to do wrong.")
    megabytes: int = Field(default=0, description="How many to hold.")
    seconds: float = Field(default=0.0, description="How long an image takes.")
    lacks: bool = Field(default=False, description="Whether it needs a file that is not there.")

class Nothing(Model):
    pass

@hookimpl
def unprompt_predictor():
    return PredictorSpec("light", "does as it is told", Options, "light_family:Light")

@hookimpl
def unprompt_text_encoder():
    return TextEncoderSpec("light", "two numbers", Nothing, "light_family:Length")
"""

FAMILY = """
import json, os, signal, time
import numpy as np
from unprompt import Batch, DataError, Embeddings, Need, Predictor, TextEncoder, unit

class Length(TextEncoder):
    def __init__(self, options, runtime):
        pass

    identity, dim = "length", 2

    def encode(self, texts):
        return unit(np.array([[1.0, len(text)] for text in texts]).reshape(-1, 2))

class Light(Predictor):
    def needs(self):
        lacks = Need("light.bin", "/nowhere/light.bin", False, "curl -O https://light.invalid/bin")
        return [lacks] if self.options.lacks else []

    def towers(self):
        return {"lamp": 2_500_000}

    def prepare(self, train, artifact):
        (artifact / "learned.txt").write_text(str(len(train)))

    def load(self, artifact):
        self.held = np.ones(self.options.megabytes * 2**20, np.uint8)
        self.learned = int((artifact / "learned.txt").read_text())

    def predict(self, images):
        fault = self.options.fault
        runtime = self.runtime
        report = [os.getpid(), os.getppid(), self.learned, list(images.ids), runtime.dry_run]
        report += [runtime.offline, runtime.batch_size, images.open(images.ids[0]).size]
        with open(self.options.log, "a") as file:
            file.write(json.dumps(report) + "\\n")
        if fault == "complains":
            raise DataError(["the lamp is broken", "and so is the cord"])
        if fault == "bug":
            raise KeyError("lamp")
        if fault == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "exits":
            os._exit(7)
        for name in images.ids[fault == "forgets":]:
            time.sleep(self.options.seconds)
            rows = unit(np.ones((1, 2))) * (np.nan if fault == "nan" else 1)
            silent = fault in ("silent", "talks") or (fault == "abstains" and name != "noise-0")
            rows = rows * (0 if silent else 1)
            prompt = "a lamp" if fault == "talks" else None
            yield Batch(Embeddings((name,), rows.astype(np.float32)), (prompt,), ((),))
"""

NO_NETWORK = """
import os, socket

def refuse(self, address, *rest):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        with open(os.environ["NETWORK_LOG"], "a") as file:
            file.write(f"{address}\\\\n")
        raise OSError("no network in this test")
    return connect(self, address, *rest)

def refuse_name(host, *rest, **more):
    with open(os.environ["NETWORK_LOG"], "a") as file:
        file.write(f"{host}\\\\n")
    raise OSError("no network in this test")

connect = socket.socket.connect
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = refuse_name
with open(os.environ["NETWORK_LOG"] + ".guarded", "a") as file:
    file.write(f"{os.getpid()}\\\\n")
""".replace("\\\\n", "\\n")


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command says these for its whole process, which here goes on."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def light(install_plugin: InstallPlugin, tmp_path: Path) -> Callable[..., Path]:
    """``light({...}, {...})``: an ensemble whose members have these options, and need no torch."""
    folder = install_plugin("light", PLUGIN)
    (folder / "light_family.py").write_text(FAMILY)

    def write(*members: dict[str, object]) -> Path:
        lines = [
            {
                "plugin": "light",
                "name": f"lamp-{i}",
                "options": {"log": str(tmp_path / "log")} | one,
            }
            for i, one in enumerate(members)
        ]
        path = tmp_path / "light.yaml"
        said = {"name": "light", "text_encoder": {"plugin": "light"}, "members": lines}
        path.write_text(yaml.safe_dump(said))
        return path

    return write


@pytest.fixture
def reports(tmp_path: Path) -> Callable[[], list[list[object]]]:
    """What the light members wrote while they ran."""
    return lambda: [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]


@pytest.fixture
def small(root: Path, tmp_path: Path) -> Path:
    """An ensemble of two families with the packaged towers, copied to ``towers/``."""
    weights = root / "plugins" / "unprompt_painter" / "checkpoints"
    for name in ("clip-a", "vision-a"):
        shutil.copytree(weights / name, tmp_path / "towers" / name)
    path = tmp_path / "small.yaml"
    path.write_text(
        "name: small\n"
        "members:\n"
        "- {plugin: knn-vit-h, options: {backbone: {folder: towers/clip-a}}}\n"
        "- {plugin: clip-l14, options: {backbone: {folder: towers/vision-a}}}\n"
    )
    return path


def rows(text: str, header: str) -> list[list[str]]:
    """The cells of the table whose header begins so."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(header))
    table = []
    for line in lines[start + 1 :]:
        if not line:
            break
        table.append(re.split(r"\s{2,}", line))
    return table


def fetch_commands(text: str) -> list[str]:
    lines = text.splitlines()
    start = lines.index("To fetch what is missing:")
    return [line.strip() for line in lines[start + 1 : lines.index("", start)]]
