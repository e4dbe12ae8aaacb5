"""Writes docs/schemas/*.schema.json: one JSON Schema for what each command prints under `--json`, made of its view.

    python -m scripts.json_schemas            write them anew (scripts/docs does)

In: the types of `agent/views`. Out: JSON Schema 2020-12; every key is named and required, no other is allowed. A test
fails while a file is stale, and another holds what the commands print against them.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import datetime
from enum import Enum
from inspect import cleandoc
from pathlib import Path
from typing import Any

import yaml

from agent.views.bundle import BundleView
from agent.views.catalog import CatalogCheckView, CatalogView
from agent.views.config import ConfigCheckView, ConfigShowView
from agent.views.consent import ConsentSetView, ConsentShowView
from agent.views.deliver import DeliverView
from agent.views.doctor import DoctorView
from agent.views.error import ErrorView
from agent.views.explain import ExplainView
from agent.views.init import InitView
from agent.views.link import LinkShowView, LinkView, UnlinkView
from agent.views.preview import DifferenceView, PreviewView
from agent.views.render_json import JsonText, camel_case, json_fields
from agent.views.sample import SampleView
from agent.views.status import StatusView

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "schemas"
CONTRACT = ROOT / "config" / "cloud-api.yaml"
INSTANT = {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
PLAIN: dict[object, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    datetime: INSTANT,
    Path: {"type": "string"},
}
# By the words of the command, as a person types them, joined by hyphens; an option that changes the answer too.
VIEWS: Mapping[str, type] = {
    "status": StatusView,
    "sample": SampleView,
    "preview": PreviewView,
    "preview-diff": DifferenceView,
    "explain": ExplainView,
    "doctor": DoctorView,
    "bundle": BundleView,
    "deliver": DeliverView,
    "init": InitView,
    "link": LinkView,
    "link-show": LinkShowView,
    "unlink": UnlinkView,
    "consent-show": ConsentShowView,
    "consent-set": ConsentSetView,
    "catalog-show": CatalogView,
    "catalog-check": CatalogCheckView,
    "config-check": ConfigCheckView,
    "config-show": ConfigShowView,
    "error": ErrorView,
}


def schemas() -> dict[str, str]:
    """The text of each file, by its name."""
    return {f"{name}.schema.json": json.dumps(schema_of(name), indent=2) + "\n" for name in VIEWS}


def schema_of(name: str) -> dict[str, Any]:
    """The schema of one command's answer."""
    definitions: dict[str, Any] = {}
    whole = _object(VIEWS[name], definitions)
    words = "any command that fails" if name == "error" else f"portfolio-agent {name.replace('-', ' ', 1)}"
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"What {words} prints under --json",
    }
    return {**head, **whole, **({"$defs": dict(sorted(definitions.items()))} if definitions else {})}


def _object(view: type, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(view)
    names = [item.name for item in json_fields(view)]
    return {
        "description": cleandoc(view.__doc__ or "").replace("\n", " "),
        "type": "object",
        "additionalProperties": False,
        "required": [camel_case(name) for name in names],
        "properties": {camel_case(name): _schema(hints[name], definitions) for name in names},
    }


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if hint is JsonText:
        definitions.update(_contract())
        return {"$ref": "#/$defs/Batch"}
    if hint in PLAIN:
        return PLAIN[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [member.value for member in hint]}
    if is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}  # a view that holds itself would come here again
            definitions[hint.__name__] = _object(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    return _generic(hint, definitions)


def _generic(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return {"enum": list(arguments)} if len(arguments) > 1 else {"const": arguments[0]}
    if origin in (typing.Union, types.UnionType):
        return _any_of([_schema(argument, definitions) for argument in arguments])
    if origin is tuple and arguments[1:] == (...,):
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    raise TypeError(f"a view holds no {hint}")


def _any_of(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Plain types as one list of types; `number` covers `integer`."""
    if all(list(one) == ["type"] for one in found):
        names = [one["type"] for one in found]
        return {"type": [name for name in names if name != "integer" or "number" not in names]}
    return {"anyOf": found}


def _contract() -> dict[str, Any]:
    """The batch as the cloud's contract has it, and what it is made of."""
    known = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))["components"]["schemas"]
    text = json.dumps({name: known[name] for name in ("Batch", "Consent", "Entry", "Product")})
    # what is sent has no key beside those of the contract; a receiver may let more pass
    contract: dict[str, Any] = json.loads(text.replace("#/components/schemas/", "#/$defs/"), object_hook=_closed)
    return contract


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    closes = schema.get("type") == "object" and "properties" in schema
    return {**schema, "additionalProperties": False} if closes else schema


def main() -> None:
    """Write every file, and remove those of views that are gone."""
    FOLDER.mkdir(exist_ok=True)
    texts = schemas()
    for file in FOLDER.glob("*.schema.json"):
        if file.name not in texts:
            file.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
