"""Annotations of everything public resolve at run time, for dependency injection, validators and mocks."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import typing
from collections.abc import Iterator
from unittest.mock import create_autospec, patch

import pytest

from tests.support.recording_server import KEY
from truemed_async import AsyncTruemed, QualificationSession, Truemed

MODULES = (
    "",
    ".diagnostics",
    ".emulator",
    ".endpoints",
    ".errors",
    ".exports",
    ".exports.arrow",
    ".models",
    ".opentelemetry",
    ".options",
    ".rate_limits",
    ".rate_limits.redis",
    ".resources",
    ".sync",
    ".testing",
    ".webhooks",
    ".webhooks.aiohttp",
    ".webhooks.flask",
    ".webhooks.postgres",
    ".webhooks.redis",
    ".webhooks.starlette",
)
SPECIAL = ("__init__", "__enter__", "__exit__", "__aenter__", "__aexit__", "__iter__", "__getitem__")


def public_objects() -> Iterator[tuple[str, object]]:
    """Yield every public class and function, and every method that this package defines."""
    for suffix in MODULES:
        module = importlib.import_module(f"truemed_async{suffix}")
        for name in getattr(module, "__all__", [name for name in dir(module) if not name.startswith("_")]):
            found = getattr(module, name)
            if not getattr(found, "__module__", "").startswith("truemed_async"):
                continue
            if inspect.isfunction(found):
                yield f"{module.__name__}.{name}", found
            elif inspect.isclass(found):
                if all(base.__module__.split(".")[0] != "aiohttp" for base in found.__mro__):
                    yield f"{module.__name__}.{name}", found
                yield from methods_of(found, f"{module.__name__}.{name}")


def methods_of(kind: type, path: str) -> Iterator[tuple[str, object]]:
    for name in {name for base in kind.__mro__ for name in vars(base)}:
        member = inspect.getattr_static(kind, name)
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if name.startswith("_") and name not in SPECIAL:
            continue
        if inspect.isfunction(function) and function.__module__.startswith("truemed_async"):
            yield f"{path}.{name}", function


PUBLIC = dict(public_objects())


def test_every_public_annotation_resolves():
    broken = {}
    for path, found in PUBLIC.items():
        try:
            typing.get_type_hints(found)
        except (NameError, AttributeError, TypeError) as error:
            broken[path] = str(error)
    assert not broken, "import these names at run time, outside of TYPE_CHECKING"


def test_public_objects_include_inherited_methods_and_properties():
    """The test above would also pass if nothing were found."""
    for path in (
        ".AsyncTruemed.__init__",
        ".resources.CatalogItems.get_many",
        ".sync.CatalogItems.get_many",
        ".QualificationSession.__init__",
        ".QualificationStatus.is_final",
        ".webhooks.verify_and_parse",
        ".AsyncTruemed",
        ".emulator.State.paginate",
    ):
        assert f"truemed_async{path}" in PUBLIC


def test_resolved_annotation_of_a_model_is_the_type():
    assert typing.get_type_hints(QualificationSession.__init__)["email"] == str | None


@pytest.mark.parametrize("name", ["get", "get_many", "iter"])
@pytest.mark.parametrize("client", [AsyncTruemed, Truemed])
def test_autospec_of_a_client_has_the_signatures_of_its_resources(client, name):
    mocked = create_autospec(client, instance=True).qualification_sessions
    real = getattr(client(KEY).qualification_sessions, name)
    assert inspect.signature(getattr(mocked, name)) == inspect.signature(real)
    with pytest.raises(TypeError):
        getattr(mocked, name)("qs_1", "no", "such", "parameters")
    with pytest.raises(AttributeError):
        mocked.no_such_method  # noqa: B018


async def test_autospec_of_the_async_client_is_awaitable():
    mocked = create_autospec(AsyncTruemed, instance=True)
    mocked.qualification_sessions.get.return_value = "session"
    assert await mocked.qualification_sessions.get("qs_1") == "session"
    mocked.qualification_sessions.get.assert_awaited_once_with("qs_1")


def test_autospec_of_the_synchronous_client_returns_at_once():
    mocked = create_autospec(Truemed, instance=True)
    mocked.qualification_sessions.get.return_value = "session"
    assert mocked.qualification_sessions.get("qs_1") == "session"


@pytest.mark.parametrize("client", [AsyncTruemed, Truemed])
def test_assigning_to_a_resource_is_refused(client):
    with pytest.raises(AttributeError):
        client(KEY).payment_sessions = None


def test_patch_object_replaces_a_method_of_the_async_client():
    client = AsyncTruemed(KEY)
    with patch.object(client.qualification_sessions, "get", return_value="session"):
        assert asyncio.run(client.qualification_sessions.get("qs_1")) == "session"
    assert inspect.iscoroutinefunction(client.qualification_sessions.get)


def test_patch_object_replaces_a_method_of_the_synchronous_client():
    client = Truemed(KEY)
    with patch.object(client.qualification_sessions, "get", return_value="session"):
        assert client.qualification_sessions.get("qs_1") == "session"


@pytest.mark.parametrize("client", [AsyncTruemed, Truemed])
def test_resource_is_the_same_object_each_time(client):
    truemed = client(KEY)
    assert truemed.payment_sessions is truemed.payment_sessions
    assert truemed.with_options().payment_sessions is not truemed.payment_sessions


class TenantClient(AsyncTruemed):
    """A user's own client, with an attribute of its own."""

    tenant: str = ""


def test_subclass_with_annotations_has_the_resources():
    assert isinstance(TenantClient(KEY).payment_sessions, type(AsyncTruemed(KEY).payment_sessions))
    assert TenantClient(KEY).tenant == ""
