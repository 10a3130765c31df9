"""The JSON Schema of adaptd.yaml, for editors and for other programs: what `daemon.config.load` takes, short forms too.

Made from the Settings. Two things they do not say by themselves are put in: each kind of source has keys of its own,
and a task's sections hold any keys of the global ones. What depends on several keys at once is checked by `load` alone.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from consumers.sources import source_types
from daemon.config import Config, TaskSettings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PARTIAL = {"sft": "SftSettings", "rewards": "RewardSettings", "batching": "BatchingSettings"}
PARTIAL |= {"holdout": "HoldoutSettings", "gate": "GateSettings", "learners": "LearnerSwitches"}


def config_schema() -> dict[str, Any]:
    """Draft 2020-12."""
    kinds = {name: kind.settings for name, kind in source_types().items()}
    models: list[tuple[type[BaseModel], Literal["validation"]]] = [(Config, "validation")]
    models += [(kind, "validation") for kind in kinds.values()]
    refs, shared = models_json_schema(models)
    definitions = shared["$defs"]
    names = {name: refs[(kind, "validation")]["$ref"].rpartition("/")[2] for name, kind in kinds.items()}
    for name, definition in names.items():
        _name_the_kind(definitions[definition], name)
    whole = definitions.pop(refs[(Config, "validation")]["$ref"].rpartition("/")[2])
    sources = [{"$ref": f"#/$defs/{definition}"} for definition in names.values()]
    whole["properties"]["sources"]["items"] = {"oneOf": sources}
    _let_be_empty(whole)
    _short_forms(definitions[TaskSettings.__name__])
    return {**whole, "$schema": DIALECT, "title": "adaptd.yaml", "$defs": definitions}


def _name_the_kind(definition: dict[str, Any], kind: str) -> None:
    """`type` tells the kinds apart, so it must be given; `name` follows from it."""
    definition["properties"]["type"] = {"const": kind, **_words(definition["properties"]["type"])}
    required = [name for name in definition.get("required", ()) if name != "name"]
    definition["required"] = list(dict.fromkeys([*required, "type"]))


def _words(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in ("description", "live") if key in schema}


def _let_be_empty(whole: dict[str, Any]) -> None:
    """A section without keys means its defaults."""
    for name, section in whole["properties"].items():
        words = _words(section)
        bare = {key: value for key, value in section.items() if key not in words and key != "default"}
        whole["properties"][name] = {"anyOf": [bare, {"type": "null"}], **words}
    tasks = whole["properties"]["tasks"]["anyOf"][0]
    tasks["additionalProperties"] = {"anyOf": [tasks["additionalProperties"], {"type": "null"}]}


def _short_forms(task: dict[str, Any]) -> None:
    task["properties"]["validator"]["anyOf"].append({"type": "string", "description": "Its name alone."})
    for name, whole in PARTIAL.items():
        section = task["properties"][name]
        task["properties"][name] = {"anyOf": [{"$ref": f"#/$defs/{whole}"}, {"type": "null"}], **_words(section)}
