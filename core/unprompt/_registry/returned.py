"""What plugins return, checked where they return it: later nobody knows whose it was.

Numbers and texts of NumPy become Python's, lists become the tuples of the contract, and rows are
copied, because a plugin may fill the same array for each batch.
"""

from __future__ import annotations

import json
from collections.abc import (
    AsyncGenerator,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from unprompt._registry.values import (
    as_batch,
    as_embeddings,
    as_items,
    as_reading,
    as_rows,
    as_text,
    as_variants,
    as_weight,
    as_whole,
    refusal,
)
from unprompt._registry.wording import described
from unprompt.contracts import (
    Dataset,
    Images,
    Need,
    Observer,
    Predictor,
    Record,
    TextEncoder,
)
from unprompt.errors import PluginError, named

Check: TypeAlias = Callable[..., Any]
"""Takes what was returned and the arguments of the call; gives what the contract says."""

SPLITS = ("train", "holdout", "test")
_ROLES = {
    Predictor: "predictor",
    Dataset: "dataset",
    TextEncoder: "text encoder",
    Observer: "observer",
}


def role_of(built: object) -> str:
    """Which contract an object implements; ``images`` where it is none of the classes."""
    return role_of_class(type(built))


def role_of_class(kind: type) -> str:
    """The same of a class."""
    return next((role for base, role in _ROLES.items() if issubclass(kind, base)), "images")


def returns_nothing(role: str, name: str) -> bool:
    """Whether a contract has a method that is called for what it does."""
    return (role, name) in _ACTIONS


def is_property(role: str, name: str) -> bool:
    """Whether a contract has an attribute that is no method."""
    return role == "text encoder" and name in ("identity", "dim")


def is_method(role: str, name: str) -> bool:
    """Whether a contract has a method of this name."""
    bases = [base for base, known in _ROLES.items() if known == role]
    return any(callable(getattr(base, name, None)) for base in bases)


def checked(role: str, name: str, value: Any, arguments: tuple[Any, ...]) -> Any:
    """What a method returned, or an attribute, as the contract says.

    Args:
        role: See `role_of`.
        name: The method or attribute.
        value: What it gave.
        arguments: Of the call.

    Raises:
        PluginError: It is something else; the line is without plugin and call.
    """
    if (role, name) in _ITEMS:
        return _iterator(value)
    if (role, name) in _ACTIONS or isinstance(value, Coroutine | AsyncGenerator):
        check_ran(value)
    check = _RESULTS.get((role, name))
    return check(value, *arguments) if check else value


def check_ran(value: object) -> None:
    """Check that a function ran when it was called.

    Raises:
        PluginError: It is async, or a generator where none is expected.
    """
    if isinstance(value, Coroutine):
        value.close()  # Python would warn that it was never awaited
    if isinstance(value, Coroutine | AsyncGenerator):
        raise PluginError("is async, so that its code has not run")
    if isinstance(value, Generator):
        raise PluginError("is a generator, so that its code has not run")


def item_check(role: str, name: str, arguments: tuple[Any, ...]) -> Callable[[Any], Any]:
    """The check for each item of an iterator that a method returned."""
    check = _ITEMS.get((role, name))
    return (lambda item: check(item, *arguments)) if check else (lambda item: item)


def _iterator(value: Any) -> Iterator[Any]:
    if isinstance(value, Coroutine | AsyncGenerator):
        check_ran(value)
    if not isinstance(value, Iterable):
        raise refusal(value, "something to iterate over")
    return iter(value)


# Families


def _identity(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise refusal(value, "a map")
    plain = dict(value)
    try:
        json.dumps(plain, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PluginError(f"gave what is no plain data: {described(error)}") from error
    return plain


def _needs(value: Any) -> tuple[Need, ...]:
    needs = as_items(value, "needs")
    for need in needs:
        if not isinstance(need, Need):
            raise refusal(need, "a Need")
    return needs


def _towers(value: Any) -> dict[str, int]:
    if not isinstance(value, Mapping):
        raise refusal(value, "a map")
    return {as_text(name, "a tower"): as_whole(size, "a size", 0) for name, size in value.items()}


# Datasets


def _records(value: Any) -> tuple[Record, ...]:
    return tuple(map(_record, as_items(value, "records")))


def _record(value: Any) -> Record:
    if not isinstance(value, Record):
        raise refusal(value, "a Record")
    for name in ("image_id", "prompt_id"):
        if not as_text(getattr(value, name), name):
            raise PluginError(f"gave an empty text as {name}")
    if value.subset == "":
        raise PluginError("gave an empty text as subset")
    if value.split is not None and value.split not in SPLITS:
        raise refusal(value.split, f"one of {', '.join(SPLITS)}", " as split")
    texts = {
        name: as_text(text, name)
        for name in ("image_id", "prompt_id", "prompt", "group", "split", "subset")
        if (text := getattr(value, name)) is not None or name == "prompt"
    }
    weight = as_weight(value.weight)
    same = weight is value.weight and all(texts[name] is getattr(value, name) for name in texts)
    return value if same else replace(value, weight=weight, **texts)


def _images(value: Any) -> Images:
    if not isinstance(value, Images):
        raise refusal(value, "Images")
    for name in ("open", "digest"):
        if not callable(getattr(value.source, name, None)):
            raise PluginError(f"gave images whose source has no method {name!r}")
    return Images(tuple(as_text(name, "an image id") for name in value.ids), value.source)


def _texts(value: Any) -> list[str]:
    return [as_text(item, "a wording") for item in as_items(value, "wordings")]


def _wordings(value: Any, ids: Sequence[str], count: int) -> dict[str, list[str]] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise refusal(value, "a map or None")
    missing = [name for name in ids if name not in value]
    if missing:
        raise PluginError(f"gave no wordings for {named(missing)}")
    wordings = {name: _texts(value[name]) for name in ids}
    wrong = [name for name, texts in wordings.items() if len(texts) != count]
    if wrong:
        raise PluginError(f"gave {len(wordings[wrong[0]])} wordings, not {count}: {named(wrong)}")
    return wordings


def _opened(value: Any, image_id: str) -> Any:
    from PIL.Image import Image

    if not isinstance(value, Image):
        raise refusal(value, "an image of Pillow", f" as image {image_id!r}")
    if value.mode != "RGB":
        raise PluginError(f"gave image {image_id!r} in mode {value.mode}, not RGB")
    if not all(value.size):
        raise PluginError(f"gave image {image_id!r} of {value.width} x {value.height} pixels")
    value.load()  # Pillow reads pixels when they are needed; what fails then is the source's
    return value


def _path(value: Any, image_id: str) -> Path | None:
    if value is not None and not isinstance(value, Path):
        raise refusal(value, "a Path or None", f" for image {image_id!r}")
    return value


def _fast(value: Any, *_: Any) -> TextEncoder | None:
    if value is not None and not isinstance(value, TextEncoder):
        raise refusal(value, "a TextEncoder or None")
    return value


def _filled(what: str, value: Any, *_: Any) -> str:
    if not as_text(value, what):
        raise PluginError(f"gave an empty text as {what}")
    return str(value)


_ITEMS: dict[tuple[str, str], Check] = {
    ("predictor", "predict"): as_batch,
    ("predictor", "predict_variants"): as_variants,
    ("predictor", "own_embeddings"): lambda value, *_: as_embeddings(value),
    ("predictor", "read"): as_reading,
}
"""Methods that return an iterator: the check of each item."""

_ACTIONS = {
    *(("predictor", name) for name in ("prepare", "load", "close", "check_variants")),
    *(("observer", f"run_{name}") for name in ("started", "finished", "failed")),
    ("observer", "member_predicted"),
    ("observer", "training_measured"),
}
"""Methods that return nothing."""

_RESULTS: dict[tuple[str, str], Check] = {
    ("predictor", "identity"): _identity,
    ("predictor", "needs"): _needs,
    ("predictor", "towers"): _towers,
    ("dataset", "records"): _records,
    ("dataset", "images"): _images,
    ("dataset", "wordings"): _wordings,
    ("images", "open"): _opened,
    ("images", "digest"): partial(_filled, "a digest"),
    ("images", "path"): _path,
    ("text encoder", "identity"): partial(_filled, "identity"),
    ("text encoder", "dim"): lambda value: as_whole(value, "dim", 1),
    ("text encoder", "encode"): as_rows,
    ("text encoder", "fast"): _fast,
}
