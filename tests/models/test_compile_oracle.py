"""The compiled functions of the models build what plain cattrs builds, on Truemed's samples."""

from __future__ import annotations

import json
import typing
from datetime import date, datetime
from typing import Any

import attrs
import cattrs
import pytest

from tests.support.paths import FIXTURES
from truemed_async.endpoints import ENDPOINTS
from truemed_async.models import CatalogItem, OpenEnum
from truemed_async.models._compile import decode_datetime
from truemed_async.models._reading import structurer


def make_oracle() -> cattrs.Converter:
    """Return a converter without any generated code, which ignores unknown fields."""
    oracle = cattrs.Converter(unstruct_strat=cattrs.UnstructureStrategy.AS_DICT, detailed_validation=False)
    oracle.register_structure_hook(datetime, lambda value, _: decode_datetime(value))
    oracle.register_structure_hook(date, lambda value, _: date.fromisoformat(value))
    oracle.register_structure_hook(OpenEnum, lambda value, kind: kind(value))
    oracle.register_structure_hook_func(lambda kind: typing.get_origin(kind) is dict, lambda value, _: value)
    return oracle


ORACLE = make_oracle()


def samples() -> list[Any]:
    """Return each successful sample of an endpoint that returns a model, as a parameter."""
    found = []
    for endpoint in ENDPOINTS:
        if endpoint.result is type(None):
            continue
        content = json.loads((FIXTURES / f"{endpoint.name}.json").read_text(encoding="utf-8"))
        found += [
            pytest.param(endpoint, sample["response"]["body"], id=f"{endpoint.name}: {sample['about']}")
            for sample in content["samples"]
            if sample["response"]["status"] < 300
        ]
    return found


@pytest.mark.parametrize(("endpoint", "body"), samples())
def test_compiled_function_builds_what_cattrs_builds(endpoint, body):
    built = structurer(endpoint.result, endpoint.items)(body)
    rows = body[endpoint.items] if endpoint.items else [body]
    if isinstance(built, CatalogItem):  # which may be under a key of its own
        rows = [body.get("object", body)]
    for found, row in zip(built.items if endpoint.items else [built], rows, strict=True):
        kind = type(found)
        names = [field.name for field in attrs.fields(kind) if field.name != "extra"]
        known = {name: value for name, value in row.items() if name in names}
        if known.get("image_urls", ...) is None:  # an item without pictures may have null there
            del known["image_urls"]
        if "eligibility_status" in row and "eligibility" not in row:  # an older name
            known["eligibility"] = row["eligibility_status"]
        expected = ORACLE.structure(known, kind)
        assert {name: getattr(found, name) for name in names} == {name: getattr(expected, name) for name in names}
        assert found.extra.keys() == row.keys() - set(names)
