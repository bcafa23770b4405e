"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Experiment = Annotated[Path, typer.Argument(help="An experiment's YAML file.")]
Ensemble = Annotated[Path, typer.Argument(help="An ensemble's YAML file, or a run's folder.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Override a value of the YAML; repeatable."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
DropMembers = Annotated[
    bool,
    typer.Option("--drop-members", help="Drop members that show no clear gain on the holdout."),
]
Device = Annotated[str, typer.Option(help="A torch device, such as cpu or cuda:0.")]
Precision = Annotated[str, typer.Option(help="float32, bfloat16, or auto.")]
BatchSize = Annotated[int, typer.Option(help="Images or texts per forward pass.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="Never touch the network: local files and caches only.")
]
Edit = Annotated[
    bool,
    typer.Option(
        "--edit/--no-edit", help="Edit prompts until they read like the predicted embeddings."
    ),
]
AsJSON = Annotated[bool, typer.Option("--json", help="As JSON.")]
