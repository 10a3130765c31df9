"""Scores an answer that must be JSON of a given shape.

The sub-checks, each worth the same: *parses* (the answer, or what stands in the code fence around all of it, is one
JSON value), *valid* (it follows the JSON Schema), and one *has:<name>* for each property that the schema requires at
its top level (the property is there and follows its own part of the schema). The score is the share of sub-checks that
hold, so that a half-right object scores above prose. An answer passes when all hold.

Strict where JSON is: `NaN`, `Infinity`, a number beyond a double and a name given twice do not parse. `$ref` works
inside the schema; nothing is ever fetched. Limits: `format` is not checked; a `pattern` runs on the answer as it
stands, so write none that can run away; answers over 200,000 characters or 64 levels do not parse.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, cast

import jsonschema.validators
from jsonschema.exceptions import SchemaError
from jsonschema.protocols import Validator as SchemaValidator
from jsonschema_specifications import REGISTRY as DIALECTS  # type: ignore[import-untyped]
from pydantic import field_validator, model_validator
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, specification_with

from learners.fences import unfenced
from storage.records import AdaptdError
from storage.records.settings import Settings as BaseSettings
from storage.records.settings import setting

from . import Validated

MAX_CHARS: Final = 200_000
MAX_DEPTH: Final = 64

Schema = Mapping[str, Any] | bool
_WITHOUT_AN_INSIDE: Final[tuple[Any, ...]] = (None, {}, [], "", 0)


class UnusableSchemaError(AdaptdError):
    """The schema in the settings cannot be used. Its text quotes the schema, which is the operator's own.

    To do: correct the schema; it must stand by itself, without references to other files.

    Shows as: its exit code alone.
    """

    def __init__(self, where: str, what: str) -> None:
        super().__init__(where, what)
        self.where, self.what = where, what

    def __str__(self) -> str:
        return f"validator json_schema: {self.where}: {self.what}; give it a JSON Schema that stands by itself"


class Settings(BaseSettings):
    """Exactly one of `schema` and `schema_file`."""

    inline: Schema | None = setting(None, alias="schema", doc="The JSON Schema itself.")
    schema_file: Path | None = setting(
        None, doc="A file with the JSON Schema; relative to the directory in which the settings are read."
    )

    @field_validator("schema_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        # A job's worker runs in another directory than the daemon that read the config.
        return path and path.expanduser().absolute()

    @model_validator(mode="after")
    def _one_schema(self) -> Settings:
        if (self.inline is None) == (self.schema_file is None):
            raise ValueError("json_schema needs one of schema (inline) and schema_file, and not both")
        return self


def open(settings: Settings) -> JsonSchema:
    """The validator for the schema. Raises UnusableSchemaError for a file that is absent or holds no schema."""
    if settings.schema_file is None:
        return JsonSchema(settings.inline if settings.inline is not None else True, "schema")
    return JsonSchema(_read_schema(settings.schema_file), f"schema_file {settings.schema_file}")


def _read_schema(path: Path) -> Schema:
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise UnusableSchemaError(
            f"schema_file {path}", f"cannot be read as JSON ({type(problem).__name__})"
        ) from problem
    if not isinstance(schema, dict | bool):
        raise UnusableSchemaError(f"schema_file {path}", "holds JSON that is no object")
    return schema


class JsonSchema:
    """The validator. Its schema is compiled once; threads may share it."""

    def __init__(self, schema: Schema, where: str) -> None:
        self._validator = _compiled(schema, where)
        top: Mapping[str, Any] = schema if isinstance(schema, Mapping) else {}
        parts = top.get("properties", {})
        self._required = {
            name: self._validator.evolve(schema=parts.get(name, True)) for name in top.get("required", ())
        }

    def validate(self, prompt: str, answer: str) -> Validated:
        """Judge `answer` by the schema; the prompt plays no part. Never raises."""
        del prompt
        try:
            value = _parse(unfenced(answer))
        except (ValueError, RecursionError):
            return _validated({"parses": False, "valid": False, **dict.fromkeys(self._names(), False)})
        members = value if isinstance(value, dict) else {}
        has = {
            f"has:{name}": name in members and _holds(validator, members[name])
            for name, validator in self._required.items()
        }
        return _validated({"parses": True, "valid": _holds(self._validator, value), **has})

    def _names(self) -> Iterable[str]:
        return (f"has:{name}" for name in self._required)


def _validated(checks: dict[str, bool]) -> Validated:
    parts = {name: float(holds) for name, holds in checks.items()}
    return Validated(sum(parts.values()) / len(parts), all(checks.values()), checks, parts)


def _holds(validator: SchemaValidator, value: Any) -> bool:
    """Whether the value follows the schema; one that the arithmetic or the stack cannot follow does not."""
    try:
        return validator.is_valid(value)
    except (ArithmeticError, RecursionError):
        return False


def _parse(text: str) -> object:
    """One JSON value. Raises ValueError or RecursionError."""
    if len(text) > MAX_CHARS:
        raise ValueError("longer than any answer that is read")
    value = json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_without_repeats)
    if _depth(value) > MAX_DEPTH:
        raise ValueError("deeper than any answer that is read")
    return value


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number beyond a double")
    return number


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is given twice")
    return members


def _depth(value: object) -> int:
    """Levels of arrays and objects; counted level by level, since a recursion would end where the stack does."""
    depth, level = 0, [value]
    while containers := [one for one in level if isinstance(one, dict | list)]:
        level = [child for one in containers for child in (one.values() if isinstance(one, dict) else one)]
        depth += 1
    return depth


def _compiled(schema: Schema, where: str) -> SchemaValidator:
    """A validator for a schema that can work: well formed, its patterns compile, its references lead somewhere."""
    kind: Any = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema, format_checker=kind.FORMAT_CHECKER)
        _follow_references(schema)
        # An explicit registry: the default one would fetch what it does not know.
        made = cast(SchemaValidator, kind(schema, registry=Registry()))
    except SchemaError as problem:
        raise UnusableSchemaError(where, f"{problem.message} at {problem.json_path}") from problem
    except Unresolvable as problem:
        raise UnusableSchemaError(where, f"the reference {problem.ref!r} leads nowhere") from problem
    except RecursionError as problem:
        raise UnusableSchemaError(where, "it is nested too deep") from problem
    _refuse_circles(made, where)
    return made


def _refuse_circles(validator: SchemaValidator, where: str) -> None:
    """A schema that is about itself, such as {"$ref": "#"}, has no end even for values without an inside."""
    try:
        for value in _WITHOUT_AN_INSIDE:
            for _ in validator.iter_errors(value):  # all of them: the first might come before the circle
                pass
    except RecursionError as problem:
        raise UnusableSchemaError(where, "its references lead back to where they began") from problem
    except ArithmeticError:
        pass  # says nothing of references


def _follow_references(schema: Schema) -> None:
    """Look up each `$ref` once, from where it stands. Raises Unresolvable."""
    root = specification_with(_dialect(schema), default=DRAFT202012).create_resource(schema)
    waiting = [(root, DIALECTS.resolver_with_root(root))]
    while waiting:
        resource, resolver = waiting.pop()
        if isinstance(resource.contents, Mapping) and isinstance(target := resource.contents.get("$ref"), str):
            resolver.lookup(target)
        waiting.extend((part, resolver.in_subresource(part)) for part in resource.subresources())


def _dialect(schema: Schema) -> str:
    return str(schema.get("$schema", "")) if isinstance(schema, Mapping) else ""
