"""Which base models the training libraries can load, read from their source text, so that no torch is imported.

A folder that holds another kind of model (an encoder, a classifier, one newer than the installed transformers) would
otherwise be found out by an engine that dies again and again.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from learners.base import BaseMissing

_TABLE = re.compile(r"^MODEL_FOR_CAUSAL_LM_MAPPING_NAMES = OrderedDict\((.*?)^\)", re.DOTALL | re.MULTILINE)


class BaseUnsupported(BaseMissing):
    """The folder holds a model, and not one that adapters can be trained on here.

    To do: set `model.base` to a causal language model of an architecture that the message names.
    """


def check_architecture(folder: Path) -> str:
    """The model's class, when it is a causal language model that the installed transformers can load.

    Empty where transformers is not installed, or keeps its table elsewhere. Raises BaseUnsupported.
    """
    config = _config(folder)
    named = [str(name) for name in config.get("architectures") or ()]
    known = causal_models()
    if not known:
        return ""
    found = next((name for name in named if name in known.values()), None)
    found = found or (known.get(str(config.get("model_type"))) if not named else None)
    if found is None and (named or "model_type" in config):
        what = ", ".join(named) or config["model_type"]
        raise BaseUnsupported(
            f"The model folder {folder} holds {what}, which is no causal language model that the installed "
            "transformers knows; set model.base to one whose config.json names a ...ForCausalLM"
        )
    return found or ""


def causal_models() -> Mapping[str, str]:
    """transformers' own table: model type to class. Empty where it cannot be read."""
    package = importlib.util.find_spec("transformers")
    if package is None or not package.submodule_search_locations:
        return {}
    source = Path(next(iter(package.submodule_search_locations))) / "models" / "auto" / "modeling_auto.py"
    try:
        table = _TABLE.search(source.read_text(encoding="utf-8"))
        return dict(ast.literal_eval(table[1].strip())) if table else {}
    except (OSError, ValueError, SyntaxError):
        return {}


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BaseUnsupported(f"{folder / 'config.json'} cannot be read ({error}); fetch the model anew") from None
    if not isinstance(found, dict):
        raise BaseUnsupported(f"{folder / 'config.json'} holds no object; fetch the model anew")
    return found
