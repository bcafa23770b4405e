"""The command in processes of its own that have imported everything when they start.

An attempt of a training that is killed after a second would cost ten of importing. A server that
has imported all of it and computed nothing is forked for each (multiprocessing's ``forkserver``).
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

HEAVY = (
    "lightning_fabric.strategies.ddp",
    "open_clip",
    "optuna",
    "sentence_transformers",
    "sklearn.linear_model",
    "tensorboardX",
    "timm.optim",
    "timm.scheduler",
    "timm.utils.model_ema",
    "torch.utils.data",
    "transformers.models.clip.modeling_clip",
    "unprompt._cli.app",
    "unprompt.train.fitting",
)
OUTPUT, ERRORS = "stdout", "stderr"
"""Files that a command writes."""


def start(words: Sequence[str], cache: Path, folder: Path) -> ForkServerProcess:
    """Start ``unprompt``; what it prints is in files of ``folder``."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*HEAVY])
    process = context.Process(target=_command, args=(list(words), cache, folder))
    process.start()
    return process


def _command(words: Sequence[str], cache: Path, folder: Path) -> None:
    """In the new process."""
    from unprompt._cli.app import main

    for name, number in ((OUTPUT, 1), (ERRORS, 2)):
        with (folder / name).open("wb") as file:
            os.dup2(file.fileno(), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w") for number in (1, 2))
    os.environ["UNPROMPT_CACHE_DIR"] = str(cache)
    sys.argv = ["unprompt", *words]
    main()
