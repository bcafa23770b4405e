"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from unprompt._files.paths import kind_of, user_path, working_folder
from unprompt._files.streams import STDOUT, is_stream


def readable_path(text: str) -> Path:
    """The path in an argument; refuses one that nobody can look at.

    Raises:
        DataError: It is empty, not UTF-8 or too long, below a folder that may not be entered, in
            the home folder of nobody, or links lead in a circle.
    """
    path = user_path(text)
    if not path.is_absolute():
        working_folder()
    kind_of(path)
    return path


def readable_yaml(text: str) -> Path:
    """As `readable_path`, or ``package:NAME/...``, a file inside an installed package."""
    from unprompt._config.location import (
        is_packaged,
        on_disk,
        yaml_path,
    )  # pydantic: not for --help

    path = yaml_path(text)
    if not is_packaged(path):
        return readable_path(str(path))
    on_disk(path)  # a package that is not installed is said before anything is read
    return path


def output_path(text: str) -> Path:
    """As `readable_path`; ``-`` is stdout.

    A path with ``..`` is resolved: ``missing/../x`` is written to ``x``, and has to be called that.
    """
    if text == "-":
        return STDOUT
    path = readable_path(text)
    return path.resolve() if ".." in path.parts and not is_stream(path) else path


def storage_source(text: str) -> str:
    """A storage's URL as it is, or the text of a path as `readable_path` takes it."""
    return text if "://" in text else str(readable_path(text))


def path_argument(
    help: str, parser: Callable[[str], Path] = readable_path
) -> Any:  # as typer's own
    """An argument that is a path."""
    return typer.Argument(help=help, parser=parser)


def yaml_argument(help: str) -> Any:  # as above
    """An argument that is a YAML file's path."""
    return path_argument(f"{help} package:NAME/PATH is in an installed package.", readable_yaml)


def path_option(
    help: str, *names: str, parser: Callable[[str], Path] = readable_path
) -> Any:  # as above
    """An option that is a path."""
    return typer.Option(*names, help=help, parser=parser)


Experiment = Annotated[Path, yaml_argument("An experiment's YAML file.")]
Ensemble = Annotated[Path, yaml_argument("An ensemble's YAML file, or a run's folder.")]
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
SkipUnreadable = Annotated[
    bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be read.")
]
AsJSON = Annotated[bool, typer.Option("--json", help="As JSON.")]
PluginsDir = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR",
        help="Folder of single-file plugins; repeatable. Default: UNPROMPT_PLUGINS_DIR.",
        parser=readable_path,
    ),
]


def use_plugins_from(context: typer.Context, folders: list[Path] | None) -> None:
    """Have the command, and the processes that it starts, find the plugins of some folders."""
    if folders:
        from unprompt._registry.folders import plugins_from

        context.with_resource(plugins_from(folders))
