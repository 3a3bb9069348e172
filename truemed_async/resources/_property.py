"""The attributes of a client that lead to its resources. A resource is imported when it is first used."""

from __future__ import annotations

from functools import cached_property
from typing import Any, TypeVar, cast, get_type_hints

C = TypeVar("C", bound=type[Any])


class ResourceProperty(property):
    """A resource of a client. On the class it is the class of the resource.

    ``unittest.mock.create_autospec(AsyncTruemed, instance=True)`` finds the methods of the resources there. The client
    keeps its resources in ``_resources``.
    """

    def __init__(self, client: type[Any], name: str) -> None:
        super().__init__(self._get)
        self._client = client
        self._name = name

    @cached_property
    def kind(self) -> type[Any]:
        """The class of the resource, which the client's annotation names."""
        return cast("type[Any]", get_type_hints(self._client)[self._name])

    @property
    def __doc__(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]  # read by help()
        return (self.kind.__doc__ or "").partition("\n")[0]

    @__doc__.setter
    def __doc__(self, _: object) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]  # see above
        """Ignore the docstring of the getter, which ``property`` sets."""

    def _get(self, client: Any) -> Any:
        # Threads that come first at the same time get the same object.
        return client._resources.setdefault(self._name, self.kind(client))  # noqa: SLF001

    def __get__(self, client: Any, owner: type | None = None) -> Any:
        if client is None:
            return self.kind
        return client._resources.get(self._name) or self._get(client)  # noqa: SLF001


def add_resource_properties(client: C) -> C:
    """Decorate a client class: each of its annotations, which declare resources, becomes a :class:`ResourceProperty`."""
    for name in tuple(client.__annotations__):
        setattr(client, name, ResourceProperty(client, name))
    return client


def resource_types(client: object) -> dict[str, type[Any]]:
    """Return the classes of a client's resources by name."""
    return {
        name: value.kind
        for base in type(client).__mro__
        for name, value in vars(base).items()
        if isinstance(value, ResourceProperty)
    }
