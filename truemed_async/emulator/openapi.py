"""The OpenAPI document of the emulated API, generated from the declarations by which requests are validated."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from truemed_async.emulator.request_log import API_KEY_HEADER
from truemed_async.emulator.routing import Route

# What any route may answer. Truemed's pages have 400, 404, 405, 500 and 501 in the table of every endpoint; the
# others, and the values of ``error``, are the emulator's own.
_EVERYWHERE: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {
        400: ("ValidationError",),
        401: ("Unauthorized",),
        404: ("NotFound",),
        405: ("MethodNotAllowed",),
        413: ("PayloadTooLarge",),
        421: ("MisdirectedRequest",),
        500: ("ServerError",),
        501: ("NotImplemented",),
    }
)


def document(routes: Iterable[Route], origin: str) -> dict[str, Any]:
    """Return the document, OpenAPI 3.1, for an emulator at this URL."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Truemed Merchant Integration API v1, as the emulator of truemed-async answers it",
            "version": "1.8.0",
            "description": "Made from the emulator's own declarations; it is not Truemed's document.",
        },
        "servers": [{"url": origin}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": API_KEY_HEADER}}},
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.name.partition(".")[0]],
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": _responses(route),
    }
    if route.body is not None:
        content = {"application/json": {"schema": route.body.json_schema}}
        operation["requestBody"] = {"required": bool(route.body.required), "content": content}
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1}
    names = re.findall(r"\{(\w+)\}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for name, parameter in route.query.items():
        schema = parameter.schema.json_schema
        if parameter.default is not None:
            schema["default"] = parameter.default
        # A list stands in one parameter, with commas between its values.
        spelled = {"style": "form", "explode": False} if schema["type"] == "array" else {}
        parameters.append({"name": name, "in": "query", "required": parameter.required, "schema": schema, **spelled})
    return parameters


def _responses(route: Route) -> dict[str, Any]:
    success: dict[str, Any] = {"description": HTTPStatus(route.status).phrase}
    if route.response is not None:
        success["content"] = {"application/json": {"schema": route.response.json_schema}}
    refusals = {str(status): _refusal(route, status) for status in sorted({*_EVERYWHERE, *route.errors})}
    return {str(route.status): success, **refusals}


def _refusal(route: Route, status: int) -> dict[str, Any]:
    errors = [*route.errors.get(status, ()), *_EVERYWHERE.get(status, ())]
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["error", "message"],
        "properties": {
            "error": {"type": "string", "enum": list(dict.fromkeys(errors))},
            "message": {"type": "string"},
        },
    }
    if status == 422:
        schema["required"].append("redirect_url")
        schema["properties"]["redirect_url"] = {"type": "string"}
    return {"description": HTTPStatus(status).phrase, "content": {"application/json": {"schema": schema}}}
