"""The API reference, rendered here from the OpenAPI document: the usual viewers load from a CDN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from edge.web.pages import render

router = APIRouter(include_in_schema=False)

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter, or a field of a body or an answer."""

    name: str
    place: str
    kind: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One address and method."""

    method: str
    path: str
    summary: str
    description: str
    fields: tuple[Field, ...]
    answer: str
    statuses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A named value that answers are made of."""

    name: str
    description: str
    fields: tuple[Field, ...]


@router.get("/api")
def reference(request: Request) -> Response:
    """Every address, its parameters and its answers."""
    document: dict[str, Any] = request.app.openapi()
    operations = [
        _operation(path, method, item[method]) for path, item in document["paths"].items() for method in METHODS if method in item
    ]
    shapes = [_shape(name, schema) for name, schema in document["components"]["schemas"].items() if "properties" in schema]
    return render(request, "reference.html", operations=operations, shapes=shapes, address=str(request.base_url).rstrip("/"))


def _operation(path: str, method: str, item: dict[str, Any]) -> Operation:
    fields = [
        Field(
            name=one["name"],
            place=one["in"],
            kind=kind_of(one["schema"]),
            required=one.get("required", False),
            description=one.get("description", ""),
        )
        for one in item.get("parameters", [])
    ]
    body = item.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        fields.append(Field(name="body", place="JSON body", kind=kind_of(body["schema"]), required=True, description=""))
    good = next(iter(item["responses"].values()))
    content = next(iter(good.get("content", {}).items()), None)
    return Operation(
        method=method.upper(),
        path=path,
        summary=item.get("summary", ""),
        description=item.get("description", ""),
        fields=tuple(fields),
        answer=f"{kind_of(content[1].get('schema', {}))} ({content[0]})" if content else "bytes",
        statuses=tuple(item["responses"]),
    )


def _shape(name: str, schema: dict[str, Any]) -> Shape:
    required = set(schema.get("required", []))
    fields = tuple(
        Field(name=field, place="", kind=kind_of(one), required=field in required, description=one.get("description", ""))
        for field, one in schema["properties"].items()
    )
    return Shape(name=name, description=schema.get("description", ""), fields=fields)


def kind_of(schema: dict[str, Any]) -> str:
    """A JSON schema in a few words, such as "list of FileRow" or "integer or null"."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(kind_of(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    if schema.get("type") == "object" and "additionalProperties" in schema:
        return f"texts to {kind_of(schema['additionalProperties'])}" if isinstance(schema["additionalProperties"], dict) else "object"
    return str(schema.get("type", "any"))
