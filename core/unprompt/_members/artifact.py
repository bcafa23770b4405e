"""``artifact.json``: what an artifact says of itself, checked before anything is loaded from it.

Towers and text encoder have to be those that it was made with, by content. Other options have to
be such as the family can use with the same artifact (`Predictor.check_prepared`); where files lie
does not matter. Another version of the plugin is a warning; another distribution is refused.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

import unprompt
from unprompt._config.environment import ENV, put, value_at
from unprompt._config.location import Location
from unprompt._config.secrets import revealed
from unprompt._config.source import Key
from unprompt._files import paths
from unprompt._files.checksums import Checksum, difference, measure
from unprompt._files.hashing import file_hash
from unprompt._files.reading import mistake, read_typed
from unprompt._files.writing import write_json
from unprompt._registry.boundary import calling
from unprompt._registry.claims import Claim
from unprompt._registry.parts import Part
from unprompt.contracts import Predictor
from unprompt.errors import ConfigError, DataError, PluginError, named
from unprompt.types import PlainData

FILE = "artifact.json"

AGAIN = "run the experiment with what is used now, or take `artifact` out of the ensemble"

log = logging.getLogger(__name__)


class ArtifactFile(BaseModel):
    """The content of ``artifact.json``.

    Attributes:
        plugin: The family's name.
        distribution: The package that it is from; ``file`` for a plugin without one.
        version: That package's version.
        unprompt: The version of unprompt.
        source: A hash of the source of plugin and core.
        options: All that it was prepared with; no secrets, and hashes of variables' values.
        identity: `Predictor.identity`: the content of towers and other files.
        text_encoder: The identity of the target space.
        files: Size and SHA-256 of every other file of the artifact.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    plugin: str
    distribution: str
    version: str
    unprompt: str
    source: str
    options: dict[str, Any]
    identity: dict[str, Any]
    text_encoder: str
    files: dict[str, Checksum] = {}


_CONTENT = TypeAdapter(ArtifactFile)


def made_now(
    part: Part, claim: Claim, identity: Mapping[str, PlainData], text_encoder: str, source: str
) -> ArtifactFile:
    """What an artifact that is made now says of itself, before it has files.

    Args:
        part: The family and its options.
        claim: Its plugin.
        identity: `Predictor.identity`.
        text_encoder: The identity of the target space.
        source: A hash of the source of plugin and core.
    """
    return ArtifactFile(
        plugin=claim.name,
        distribution=claim.distribution,
        version=claim.version,
        unprompt=unprompt.__version__,
        source=source,
        options=_as_json(part.keyed()["options"]),
        identity=_as_json(dict(identity)),
        text_encoder=text_encoder,
    )


def seal(folder: Path, made: ArtifactFile) -> None:
    """Write ``artifact.json`` beside what a family has written.

    Raises:
        PluginError: The family wrote a file of this name.
    """
    if (folder / FILE).exists():
        raise PluginError(
            f"plugin {made.plugin!r} (from {made.distribution} {made.version}): prepare wrote "
            f"{FILE}, which is the name of a file of unprompt's own"
        )
    sealed = made.model_copy(update={"files": measure(folder)})
    write_json(folder / FILE, sealed.model_dump(mode="json"))


def check_made(folder: Path) -> None:
    """Check that a family left a folder of files and folders, which can be hashed and copied.

    Raises:
        PluginError: It removed the folder, or made anything else in it; a link to a file is taken
            as that file.
    """
    if not paths.is_folder(folder):
        raise PluginError("removed the folder of its artifact")
    for base, folders, files in os.walk(folder):
        for path in (Path(base) / name for name in (*folders, *files)):
            name = path.relative_to(folder).as_posix()
            if not name.isprintable():  # bytes that are no UTF-8 are not
                raise PluginError(f"wrote {name!a}, whose name is not printable text")
            if path.is_dir() and path.is_symlink():
                raise PluginError(f"wrote {name}, a link to a folder: runs keep copies")
            if not (path.is_dir() or path.is_file()):
                raise PluginError(f"wrote {name}, which is no regular file")


def check_artifact(
    folder: Path, now: ArtifactFile, part: Part, claim: Claim, to: Predictor
) -> None:
    """Check that what a member learned before fits what it is used with.

    An artifact without ``artifact.json``, as older versions wrote, is used with a warning.

    Args:
        folder: The artifact.
        now: What it would say, were it made now.
        part: The family, with the options that it is used with.
        claim: Its plugin.
        to: What it is for; is asked about options.

    Raises:
        DataError: It does not fit, or a file of it is not as it was written; one line says what.
    """
    shown = paths.shown(folder)
    if not paths.exists(folder / FILE):
        log.warning(
            f"{shown}: does not say what it was made with, as it is of an older version; whether "
            "it fits towers, text encoder and options is not known"
        )
        return
    made = read_typed(folder / FILE, _CONTENT)
    what = _other_maker(made, now, part) or _other_options(made, now, part, claim, to)
    if what is not None:
        raise DataError(f"{shown}: {what}; {AGAIN}")
    own = Checksum(bytes=(folder / FILE).stat().st_size, sha256=file_hash(folder / FILE))
    if (changed := difference(folder, made.files | {FILE: own})) is not None:
        raise DataError(f"{shown}: not as it was written: {changed}")
    if made.version != now.version:
        log.warning(
            f"{shown}: was made by {made.distribution} {made.version}; this is {now.version}"
        )


def _other_maker(made: ArtifactFile, now: ArtifactFile, part: Part) -> str | None:
    """In what plugin, text encoder or towers differ."""
    if (made.plugin, made.distribution) != (now.plugin, now.distribution):
        return (
            f"was made by plugin {made.plugin!r} of {made.distribution}, not by {now.plugin!r} "
            f"of {now.distribution}"
        )
    if made.text_encoder != now.text_encoder:
        return (
            f"was made for the text encoder {made.text_encoder!r}, and this ensemble has "
            f"{now.text_encoder!r}"
        )
    if made.identity != now.identity:
        keys = [_dotted(key) for key in _differences(made.identity, now.identity)]
        moved = [
            f"`{_dotted(key)}` was {value_at(made.options, key)} and is "
            f"{value_at(now.options, key)}"
            for key in sorted(_places(part.options) & {*_differences(made.options, now.options)})
        ]
        return f"was made with other towers or files: the content of {named(keys)} differs" + (
            f" ({', '.join(moved)})" if moved else ""
        )
    return None


def _other_options(
    made: ArtifactFile, now: ArtifactFile, part: Part, claim: Claim, to: Predictor
) -> str | None:
    """Which other options need an artifact of their own; None where none does."""
    places = _places(part.options)  # of files, whose content is in the identity
    other = [key for key in _differences(made.options, now.options) if key not in places]
    if not other:
        return None
    plain = revealed(part.options)
    for key in other:
        value = value_at(made.options, key)
        if isinstance(value, Mapping) and ENV in value:
            return f"was prepared with another value of `{_dotted(key)}`, which a variable gave"
        _put_back(plain, made.options, key)
    try:
        with calling(claim, "options"):
            prepared = part.spec.options.model_validate(plain)
        to.check_prepared(prepared)
    except ValidationError as error:
        return f"was prepared with options that are none any more ({mistake(error)})"
    except ConfigError as error:
        changes = ", ".join(_change(made.options, now.options, key) for key in other)
        return f"was prepared with other options ({changes}): {error.problems[0]}"
    return None


def _differences(before: object, now: object, key: Key = ()) -> Iterator[Key]:
    """The keys of two trees of plain data at which they differ, as few as say it."""
    if isinstance(before, Mapping) and isinstance(now, Mapping) and ENV not in {*before, *now}:
        for name in dict.fromkeys([*before, *now]):
            if name in before and name in now:
                yield from _differences(before[name], now[name], (*key, name))
            else:
                yield (*key, name)
    elif before != now and json.dumps(before) != json.dumps(now):  # NaN is not equal to itself
        yield key


def _places(options: object, key: Key = ()) -> set[Key]:
    """The keys of options that name files."""
    if isinstance(options, Location | Path):
        return {key}
    if isinstance(options, BaseModel):
        fields = {name: getattr(options, name) for name in type(options).model_fields}
        return set().union(*(_places(value, (*key, name)) for name, value in fields.items()))
    return set()


def _put_back(plain: dict[str, Any], before: Mapping[str, Any], key: Key) -> None:
    """Set the value at a key to what it was before, which may be nothing."""
    around = value_at(before, key[:-1])
    if key[-1] in around:
        put(plain, key, around[key[-1]])
    else:
        del value_at(plain, key[:-1])[key[-1]]


def _change(before: Mapping[str, Any], now: Mapping[str, Any], key: Key) -> str:
    old, new = (json.dumps(value_at(options, key)) for options in (before, now))
    return f"`{_dotted(key)}` was {old:.40} and is {new:.40}"


def _dotted(key: Key) -> str:
    return ".".join(map(str, key))


def _as_json(value: dict[str, Any]) -> dict[str, Any]:
    """Plain data as it is read again: lists for tuples."""
    read: dict[str, Any] = json.loads(json.dumps(value))
    return read
