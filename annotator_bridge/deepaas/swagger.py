"""`/swagger.json`: the routes in Swagger 2.0, in the form that DEEPaaS 2.6 writes and that its graphical front end (deepaas_ui) reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from annotator_bridge.deepaas.arguments import FILE_FIELDS, ZIP_FIELDS, arguments_of, media_of
from models.manifest import Manifest

_JSON = ["application/json"]


def document(manifests: Sequence[Manifest], *, version: str, host: str = "") -> dict[str, Any]:
    """The description of all routes; `version` is the appliance's."""
    paths: dict[str, Any] = {
        "/": _get("versions", "Versions of the API", "Versions"),
        "/v2/": _get("versions", "This version of the API", "Version"),
        "/v2/debug/": {
            "get": {
                "tags": ["debug"],
                "summary": "Nothing: this appliance does not show its output to callers",
                "parameters": [],
                "responses": {"204": {"description": "No debug output"}},
            }
        },
        "/v2/models/": _get("models", "Models that can be asked", "Models"),
    }
    for manifest in manifests:
        base = f"/v2/models/{manifest.name}/"
        paths[base] = _get("models", f"What the model {manifest.name} is", "ModelMeta")
        paths[f"{base}predict/"] = {"post": _predict(manifest)}
        paths[f"{base}train/"] = {"get": _not_enabled("Trainings"), "post": _not_enabled("Train the model")}
        of_one = {"name": "uuid", "in": "path", "required": True, "type": "string", "pattern": "^[^/]+$"}
        one = {"get": _not_enabled("A training"), "delete": _not_enabled("Cancel a training")}
        paths[f"{base}train/{{uuid}}"] = {**one, "parameters": [of_one]}
    info = {
        "title": "iMagine Edge: models as DEEPaaS serves them",
        "version": version,
        "description": "The V2 API of DEEPaaS over the models of this appliance. Nothing is stored of what is sent.",
    }
    return {"swagger": "2.0", "info": info, "basePath": "/", "paths": paths, "definitions": _DEFINITIONS} | ({"host": host} if host else {})


def _get(tag: str, summary: str, answer: str) -> dict[str, Any]:
    return {
        "get": {
            "tags": [tag],
            "summary": summary,
            "produces": _JSON,
            "parameters": [],
            "responses": {"200": {"description": summary, "schema": {"$ref": f"#/definitions/{answer}"}}},
        }
    }


def _predict(manifest: Manifest) -> dict[str, Any]:
    is_flowcam = manifest.task == "classify"
    files = [_file("files", "An image (JPEG, PNG, TIFF or BMP).", required=not is_flowcam)]
    if is_flowcam:
        files += [
            _file("image", "An image, answered as the FlowCam module does."),
            _file("zip", "A ZIP of images, answered in the same way."),
        ]
    arguments = [
        {"in": "query", "name": one.name, "required": False, "description": one.description, **one.swagger}
        for one in arguments_of(manifest)
    ]
    failure = {"schema": {"$ref": "#/definitions/Failure"}}
    return {
        "tags": ["models"],
        "summary": "What the model says of an image",
        "consumes": ["multipart/form-data"],
        "produces": [*media_of(manifest), "*/*"],
        "parameters": [*files, *arguments],
        "responses": {
            "200": {"description": "The prediction", "schema": {"$ref": "#/definitions/Prediction"}},
            "400": {"description": "The form cannot be read", **failure},
            "403": {"description": "Not from this address", **failure},
            "413": {"description": "The body is larger than the setting cvat_body_mb", **failure},
            "422": {"description": "Arguments that cannot be taken, by name", "schema": {"$ref": "#/definitions/BadArguments"}},
            "500": {"description": "The model failed", **failure},
            "503": {"description": "Too many calls at once", **failure},
        },
    }


def _file(name: str, description: str, *, required: bool = False) -> dict[str, Any]:
    assert name in (*FILE_FIELDS, *ZIP_FIELDS)
    return {"in": "formData", "name": name, "required": required, "description": description, "type": "file"}


def _not_enabled(summary: str) -> dict[str, Any]:
    return {
        "tags": ["models"],
        "summary": f"{summary}: not here",
        "produces": _JSON,
        "parameters": [],
        "responses": {"402": {"description": "Models are trained ashore, not on board", "schema": {"$ref": "#/definitions/Failure"}}},
    }


def _object(required: Sequence[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


_TEXT = {"type": "string"}
_DEFINITIONS: dict[str, Any] = {
    "Failure": _object(["message"], message=_TEXT),
    "BadArguments": {"type": "object", "additionalProperties": {}},
    "Location": _object(["rel", "href"], rel=_TEXT, href=_TEXT, type=_TEXT),
    "Version": _object(
        ["version", "id", "links"], version=_TEXT, id=_TEXT, links={"type": "array", "items": {"$ref": "#/definitions/Location"}}
    ),
    "Versions": _object(
        ["versions", "links"],
        versions={"type": "array", "items": {"$ref": "#/definitions/Version"}},
        links={"type": "array", "items": {"$ref": "#/definitions/Location"}},
    ),
    "ModelMeta": _object(
        ["id", "name", "links", "description", "license", "version"],
        id=_TEXT,
        name=_TEXT,
        links={"type": "array", "items": {"$ref": "#/definitions/Location"}},
        title=_TEXT,
        summary=_TEXT,
        description=_TEXT,
        license=_TEXT,
        version=_TEXT,
    ),
    "Models": _object(["models"], models={"type": "array", "items": {"$ref": "#/definitions/ModelMeta"}}),
    "Prediction": _object(["status", "predictions"], status={"type": "string", "enum": ["OK"]}, predictions={}),
}
