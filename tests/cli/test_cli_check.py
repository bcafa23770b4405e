"""``unprompt check``: what an ensemble needs, and its dry run with random parameters."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml
from PIL import Image

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]

SHIPPED = ("knn-vit-g", "knn-vit-h", "clip-l14", "clip-l16-384", "clip-blip")

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
            yield Batch(Embeddings((name,), rows.astype(np.float32)), (None,), ((),))
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
    found = []
    for line in lines[start + 1 :]:
        if not line:
            break
        found.append(re.split(r"\s{2,}", line))
    return found


def fetch_commands(text: str) -> list[str]:
    lines = text.splitlines()
    start = lines.index("To fetch what is missing:")
    return [line.strip() for line in lines[start + 1 : lines.index("", start)]]


# Files, sizes and exit codes


def test_an_ensemble_that_has_everything(unprompt: Command, small: Path, tmp_path: Path) -> None:
    import open_clip
    from transformers import CLIPVisionModel

    done = unprompt("check", small)
    assert done.returncode == 0, done.stderr
    assert "MISSING" not in done.stdout and "To fetch" not in done.stdout
    clip, vision = tmp_path / "towers" / "clip-a", tmp_path / "towers" / "vision-a"
    assert rows(done.stdout, "member ") == [
        ["knn-vit-h", "here", "open_clip_config.json", str(clip)],
        ["knn-vit-h", "here", "open_clip_model.safetensors", str(clip)],
        ["clip-l14", "here", "config.json", str(vision)],
        ["clip-l14", "here", "preprocessor_config.json", str(vision)],
        ["clip-l14", "here", "model.safetensors", str(vision)],
    ]
    models = (open_clip.create_model(f"local-dir:{clip}"), CLIPVisionModel.from_pretrained(vision))
    counts = [sum(p.numel() for p in model.parameters()) for model in models]
    shown = [[f"{count / 1e6:.1f} M", f"{count * 4 / 2**30:.2f} GiB"] for count in counts]
    assert rows(done.stdout, "member     tower") == [
        ["knn-vit-h", "CLIP", *shown[0]],
        ["clip-l14", "image", *shown[1]],
    ]


def test_missing_weights_are_exit_1_and_sizes_are_still_said(
    unprompt: Command, small: Path, tmp_path: Path
) -> None:
    whole = unprompt("check", small)
    assert whole.returncode == 0, whole.stderr
    (tmp_path / "towers" / "clip-a" / "open_clip_model.safetensors").unlink()
    done = unprompt("check", small)
    assert done.returncode == 1
    assert done.stderr == ""
    missing = [row for row in rows(done.stdout, "member ") if row[1] == "MISSING"]
    (row,) = missing
    assert row[0] == "knn-vit-h" and row[3] == str(tmp_path / "towers" / "clip-a")
    assert "open_clip_model.safetensors" in row[2]
    assert rows(done.stdout, "member     tower") == rows(whole.stdout, "member     tower")


def test_a_missing_architecture_is_a_line_and_the_other_member_is_still_sized(
    unprompt: Command, small: Path, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "towers" / "clip-a")
    done = unprompt("check", small)
    assert done.returncode == 1
    first, second = rows(done.stdout, "member     tower")
    assert first[:2] == ["knn-vit-h", "?"] and str(tmp_path / "towers" / "clip-a") in first[2]
    assert second[:2] == ["clip-l14", "image"]


def test_a_members_own_needs_and_how_to_fetch_them(
    unprompt: Command, light: Callable[..., Path], tmp_path: Path
) -> None:
    done = unprompt("check", light({"lacks": True}, {}, {"lacks": True}))
    assert done.returncode == 1
    assert rows(done.stdout, "member ") == [
        [f"lamp-{i}", "MISSING", "light.bin", "/nowhere/light.bin"] for i in (0, 2)
    ]
    assert fetch_commands(done.stdout) == ["curl -O https://light.invalid/bin"]
    assert rows(done.stdout, "member  tower") == [
        [f"lamp-{i}", "lamp", "2.5 M", "0.01 GiB"] for i in range(3)
    ]
    assert not (tmp_path / "log").exists()  # nothing ran


def test_an_ensemble_without_files(unprompt: Command, light: Callable[..., Path]) -> None:
    done = unprompt("check", light({}))
    assert done.returncode == 0
    assert done.stdout.startswith("no files needed\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["none.yaml"], "none.yaml: cannot be read: no such file or directory"),
        (["light.yaml", "--images", "none"], "none: no such file or folder"),
        (["light.yaml", "--device", "cuda:99"], "runtime.device: 'cuda:99' cannot be used"),
        (
            ["light.yaml", "--batch-size", "0"],
            "batch_size (--batch-size): Input should be greater than",
        ),
        (["light.yaml", "--set", "members.lamp-0.weight=-1"], "members.0.weight: should be at"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_2(
    words: list[str],
    line: str,
    unprompt: Command,
    light: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    light({})
    monkeypatch.chdir(tmp_path)
    done = unprompt("check", *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1


# The shipped ensembles at full size: their files are not here


@pytest.fixture
def empty_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub cache with nothing in it, whatever this machine has downloaded."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


FETCH = """\
hf download laion/CLIP-ViT-g-14-laion2B-s34B-b88K open_clip_model.safetensors
hf download laion/CLIP-ViT-H-14-laion2B-s32B-b79K open_clip_model.safetensors
hf download Salesforce/blip-image-captioning-large config.json preprocessor_config.json \
tokenizer.json model.safetensors
"""
FETCH_STRONG = """\
hf download openai/clip-vit-large-patch14 config.json preprocessor_config.json model.safetensors
hf download timm/vit_large_patch16_384.augreg_in21k_ft_in1k model.safetensors
"""
INTERROGATOR = 'pip install "unprompt[interrogator]"'


@pytest.mark.parametrize(
    ("name", "commands"), [("kaggle-68th", FETCH), ("strong", FETCH + FETCH_STRONG)]
)
@pytest.mark.usefixtures("empty_hub")
def test_the_full_size_ensembles_name_members_hub_files_and_sizes(
    name: str, commands: str, unprompt: Command, root: Path
) -> None:
    done = unprompt("check", root / "ensembles" / f"{name}.yaml")
    assert done.returncode == 1
    assert done.stderr == ""
    files = rows(done.stdout, "member ")
    assert list(dict.fromkeys(row[0] for row in files)) == list(SHIPPED)
    found = set(fetch_commands(done.stdout)) - {INTERROGATOR}  # which may be installed
    assert found == set(commands.splitlines())
    # Millions of parameters as open_clip, OpenAI, timm and Salesforce publish them; timm's without
    # its classifier (304.7 with it), BLIP's without a second copy of its word embeddings.
    assert [row[:3] for row in rows(done.stdout, "member        tower")] == [
        ["knn-vit-g", "CLIP", "1,366.7 M"],
        ["knn-vit-h", "CLIP", "986.1 M"],
        ["clip-l14", "image", "303.2 M"],
        ["clip-l16-384", "image", "303.7 M"],
        ["clip-blip", "CLIP", "986.1 M"],
        ["clip-blip", "captioner", "446.3 M"],
    ]


@pytest.mark.usefixtures("empty_hub")
def test_the_seeds_private_files_are_looked_for_beside_it(unprompt: Command, root: Path) -> None:
    done = unprompt("check", root / "ensembles" / "kaggle-68th.yaml")
    where = {row[3] for row in rows(done.stdout, "member ") if "kaggle-68th/" in row[3]}
    names = ("prompts.parquet", "clip-l14.pth", "vit-l16-384.pth")
    assert where == {str(root / "ensembles" / "kaggle-68th" / name) for name in names}


# Dry runs


def test_a_dry_run_is_a_line_a_member_each_in_a_process_of_its_own(
    unprompt: Command, light: Callable[..., Path], reports: Callable[[], list[list[object]]]
) -> None:
    path = light({"megabytes": 400}, {"seconds": 0.3}, {})
    done = unprompt("check", path, "--dry-run", "--precision", "float32")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "With random parameters, 2 images, float32, batches of 8:" in done.stdout
    lines = done.stdout.splitlines()[-3:]
    found = [re.fullmatch(r"(\S+) +([\d.]+) s +([\d.]+) s +([\d.]+) GiB", line) for line in lines]
    assert all(found), lines
    names, _, each, peaks = zip(*(match.groups() for match in found if match), strict=True)
    assert names == ("lamp-0", "lamp-1", "lamp-2")
    assert float(each[1]) >= 0.3 > float(each[2])
    assert float(peaks[0]) > float(peaks[1]) + 0.35  # 400 MB are not counted again
    processes = [line[0] for line in reports()]
    assert len({*processes, os.getpid()}) == 4
    assert {line[1] for line in reports()} == {os.getpid()}
    for line in reports():
        assert line[2:] == [2, ["noise-0", "noise-1"], True, True, 8, [512, 512]]


def test_a_dry_run_takes_the_users_images(
    unprompt: Command,
    light: Callable[..., Path],
    reports: Callable[[], list[list[object]]],
    tmp_path: Path,
) -> None:
    (tmp_path / "images").mkdir()
    for name in "abc":
        Image.new("RGB", (30, 20), "red").save(tmp_path / "images" / f"{name}.png")
    words = ["--images", tmp_path / "images", "--batch-size", "3"]
    done = unprompt("check", light({}), "--dry-run", *words)
    assert done.returncode == 0, done.stderr
    assert re.search(r"With random parameters, 3 images, \w+, batches of 3:", done.stdout)
    assert reports()[0][2:] == [3, ["a", "b", "c"], True, True, 3, [30, 20]]


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("complains", "FAILED: the lamp is broken; and so is the cord"),
        ("killed", "FAILED: killed by the system, most likely for memory"),
        ("exits", "FAILED: ended with exit code 7"),
        ("bug", "FAILED: ended with exit code 1"),
        ("nan", "FAILED: "),
        ("forgets", "FAILED: did not predict each image once: missing 'noise-0'"),
    ],
)
def test_a_failing_member_is_a_line_and_exit_1_and_the_next_one_runs(
    fault: str,
    line: str,
    unprompt: Command,
    light: Callable[..., Path],
    capfd: pytest.CaptureFixture[str],
) -> None:
    done = unprompt("check", light({"fault": fault}, {}), "--dry-run")
    assert done.returncode == 1
    first, second = done.stdout.splitlines()[-2:]
    assert first.startswith(f"lamp-0  {line}")
    assert re.fullmatch(r"lamp-1 +[\d.]+ s +[\d.]+ s +[\d.]+ GiB", second)
    traceback = "KeyError: 'lamp'" in capfd.readouterr().err
    assert traceback == (fault == "bug")  # a bug keeps its traceback


def test_a_dry_run_does_without_missing_files(
    unprompt: Command, light: Callable[..., Path]
) -> None:
    done = unprompt("check", light({"lacks": True}), "--dry-run")
    assert "MISSING" in done.stdout
    assert done.returncode == 0


@pytest.mark.slow
def test_packaged_towers_dry_run_without_files_and_network(small: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "towers").rglob("*.safetensors"):
        path.unlink()
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(NO_NETWORK)
    log = tmp_path / "network"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"PYTHONPATH": str(guard), "NETWORK_LOG": str(log)}
    program = "from unprompt._cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", small, "--dry-run"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    knn, clip = done.stdout.splitlines()[-2:]
    for name, line in (("knn-vit-h", knn), ("clip-l14", clip)):
        found = re.fullmatch(rf"{name} +([\d.]+) s +([\d.]+) s +([\d.]+) GiB", line)
        assert found, line
        assert float(found[3]) > 0.2  # torch alone takes as much
    assert len((tmp_path / "network.guarded").read_text().split()) >= 3  # the command, two members
    assert not log.exists(), log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kaggle-68th", "strong"])
def test_looking_for_hub_files_never_touches_the_network(
    name: str, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK)
    log = tmp_path / "network"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {
        "PYTHONPATH": str(tmp_path),
        "NETWORK_LOG": str(log),
        "HF_HOME": str(tmp_path / "hub"),
    }
    program = "from unprompt._cli.app import main; main()"
    path = root / "ensembles" / f"{name}.yaml"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("MISSING") >= 10
    assert (tmp_path / "network.guarded").is_file()
    assert not log.exists(), log.read_text()
