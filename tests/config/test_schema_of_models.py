"""The JSON Schema of a plugin's options accepts what pydantic accepts, however lax a model is."""

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from jsonschema import Draft202012Validator
from pydantic import (
    AfterValidator,
    AliasChoices,
    AnyUrl,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Discriminator,
    Field,
    Json,
    PlainValidator,
    RootModel,
    SecretStr,
    StringConstraints,
    Tag,
    ValidationError,
    WrapValidator,
    create_model,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from unprompt import Location, Model
from unprompt._config.schema import model_schemas
from unprompt._config.schema_nodes import reference


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 5

    @classmethod
    def _missing_(cls, value: object) -> Level | None:
        return cls.HIGH if value == "text" else None


class Plain(enum.IntEnum):
    ONE = 1


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    depth: int = Field(ge=1)


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    x: int = 0


class Dog(BaseModel):
    kind: Literal["dog"]


class Aliased(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    depth: int = Field(validation_alias=AliasChoices("x", "deep"))


class Wide(BaseModel):
    """Text stands for a map."""

    model_config = ConfigDict(extra="forbid")
    name: str

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, raw: object) -> object:
        return {"name": raw} if isinstance(raw, str) else raw


class Seconds(BaseModel):
    model_config = ConfigDict(extra="forbid")
    x: float = 1

    @field_validator("x", mode="before")
    @classmethod
    def _from_anything(cls, raw: object) -> float:
        return 2.0


class Built(BaseModel):
    def __init__(self, **data: Any) -> None:
        super().__init__()


class Stripped(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True, extra="forbid")
    name: Annotated[str, StringConstraints(max_length=4)] = "a"


@dataclass
class Point:
    x: int
    y: int = 0


class Words(TypedDict, total=False):
    x: int


class Pair(NamedTuple):
    x: int
    y: str = ""


class Texts(RootModel[list[str]]):
    pass


def _kind(value: object) -> str:
    return "text" if isinstance(value, str) else "number"


def _length(value: object) -> object:
    return len(value) if isinstance(value, str) else value


Tagged = Annotated[
    Annotated[str, Tag("text")] | Annotated[float, Tag("number")], Discriminator(_kind)
]
ANNOTATIONS: list[Any] = [
    *(int, float, bool, str, bytes, complex, decimal.Decimal, Any, None, int | str, int | None),
    *(Literal["text", 1], Literal[True], Literal[1], Literal[0.5] | None, Colour, Level, Plain),
    *(list[int], tuple[int, str], tuple[float, ...], set[int], frozenset[str], Sequence[int]),
    *(dict[str, int], dict[int, str], dict[Colour, int], dict[Literal["x"], Any]),
    *(datetime.date, datetime.time, datetime.datetime, datetime.timedelta),
    *(Path, uuid.UUID, re.Pattern, AnyUrl, ipaddress.IPv4Address, SecretStr, ByteSize),
    *(Json[list[int]], Location, Inner, Cat | Dog, Aliased, Wide, Seconds, Built, Stripped),
    *(Point, Words, Pair, Texts, Tagged, list[Inner | str]),
    Annotated[Cat | Dog, Field(discriminator="kind")],
    Annotated[int, Field(ge=3, multiple_of=5)],
    Annotated[float, Field(gt=0, lt=3, allow_inf_nan=False)],
    Annotated[str, StringConstraints(strip_whitespace=True, max_length=4)],
    Annotated[str, StringConstraints(to_lower=True, pattern="^text$")],
    Annotated[str, StringConstraints(pattern="(?i)^TEXT$")],
    Annotated[str, StringConstraints(pattern=r"^\w+$", min_length=2)],
    Annotated[set[int], Field(max_length=1)],
    Annotated[list[int], Field(min_length=2)],
    Annotated[dict[str, int], Field(min_length=1)],
    dict[Annotated[str, StringConstraints(pattern="^[xi]")], int],
    Annotated[int, BeforeValidator(lambda value: 3)],
    Annotated[int, WrapValidator(lambda value, handler: 3)],
    Annotated[int, PlainValidator(lambda value: 3)],
    Annotated[int, AfterValidator(abs)],
    Annotated[int, BeforeValidator(_length, json_schema_input_type=int | str)],
    Annotated[str, Field(coerce_numbers_to_str=True)],
]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, 5, -1, 0.5, 1.0, 2.5, float("inf"), float("nan"), 10**15),
    *("", "text", " TEXT ", "TEXT", "1", " 5 ", "1_000", "0.5", "1e3", "nan", "yes", "OFF", "t"),
    *("red", "cat", "/a/b", "~", "2026-11-26", "2026-11-26T10:00", "10:30", "P1D", "1 day"),
    *("12345678123456781234567812345678", "https://a.b/c", "1.2.3.4", "1KiB", "[1]", "1+2j"),
    *([], [1], [1, 1], ["1", "a"], [1, "a"], [0.5, 1], ["text"], [[1]], [{"depth": 2}]),
    *({}, {"x": 1}, {"x": "1"}, {"x": None}, {"depth": 1}, {"depth": 0}, {"deep": 3}, {"1": "a"}),
    *({"kind": "cat"}, {"kind": "dog", "y": 2}, {"name": "a"}, {"name": " text "}, {"red": 1}),
    *({"x": 1, "y": 2}, {"x": 1, "z": 2}, {"include": 3}),
]


def accepted(model: type[BaseModel], data: object) -> bool:
    try:
        model.model_validate(data)
    except ValidationError:
        return False
    return True


def named(kind: object) -> str:
    """As Python writes it, the same in each process: without addresses of functions."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(kind))


@pytest.mark.parametrize("base", [BaseModel, Model], ids=["lax", "strict"])
@pytest.mark.parametrize("kind", ANNOTATIONS, ids=named)
def test_what_a_model_accepts_is_valid(kind: Any, base: type[BaseModel]) -> None:
    model = create_model("Options", __base__=base, field=(kind, ...))
    [name], definitions = model_schemas([model], "prefix.")
    document = {**reference(name), "$defs": definitions}
    Draft202012Validator.check_schema(document)
    validator = Draft202012Validator(document)
    taken = [value for value in VALUES if accepted(model, {"field": value})]
    assert taken or base is Model
    assert [value for value in taken if not validator.is_valid({"field": value})] == []
    assert not validator.is_valid({})


STRICT: list[tuple[Any, list[Any]]] = [
    (int, ["1", 0.5, None, True, [], {}]),
    (float, ["1", None, True, []]),
    (bool, [1, "yes", None]),
    (str, [1, None, ["text"]]),
    (Literal["a", "b"], ["c", 1]),
    (list[int], [1, ["a"], {}]),
    (dict[str, int], [{"x": "a"}, [1]]),
    (Annotated[int, Field(ge=3)], [2]),
    (Annotated[float, Field(gt=0, le=1)], [0, 1.5]),
    (Annotated[list[float], Field(min_length=2, max_length=2)], [[1], [1, 2, 3]]),
    (Location, ["", 3, {}]),
    (Inner, [{}, {"depth": 0}, {"depth": 1, "other": 2}, 3]),
    (int | None, ["a"]),
]


@pytest.mark.parametrize(("kind", "wrong"), STRICT, ids=repr)
def test_a_strict_models_mistakes_are_not_valid(kind: Any, wrong: list[Any]) -> None:
    model = create_model("Options", __base__=Model, field=(kind, ...))
    [name], definitions = model_schemas([model])
    validator = Draft202012Validator({**reference(name), "$defs": definitions})
    for value in wrong:
        assert not accepted(model, {"field": value})
        assert not validator.is_valid({"field": value}), value


def test_two_models_of_one_name_keep_their_own_definitions() -> None:
    one = create_model("Options", __base__=Model, inner=(Inner, ...))
    other_inner = create_model("Inner", __base__=Model, width=(int, 3))
    other = create_model("Options", __base__=Model, inner=(other_inner, ...))
    [first], definitions = model_schemas([one], "a.")
    [second], more = model_schemas([other], "b.")
    assert not definitions.keys() & more.keys()
    validate = Draft202012Validator({**reference(second), "$defs": definitions | more}).is_valid
    assert validate({"inner": {"width": 1}})
    assert not validate({"inner": {"depth": 1}})
    assert first == "a.Options"


def test_defaults_that_are_no_plain_data_are_left_out() -> None:
    model = create_model(
        "Options", __base__=Model, at=(Location, Location.of("/x")), it=(Any, object())
    )
    [name], definitions = model_schemas([model])
    keys = definitions[name]["properties"]
    assert keys["at"]["default"] == "/x"
    assert "default" not in keys["it"]
