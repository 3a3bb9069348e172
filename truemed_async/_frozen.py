"""Builds instances of frozen attrs classes fast.

The constructor of such a class sets each field through ``object.__setattr__``. Instead, a mutable class with the same
slots is filled, and then its class is changed, which takes a quarter of the time. The class must not have a slot for
weak references of its own (``weakref_slot=False``), but may inherit it.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast, get_origin

import attrs

P = ParamSpec("P")
T = TypeVar("T")


def fast_constructor(cls: Callable[P, T]) -> Callable[P, T]:
    """Return a function that builds what ``cls(…)`` builds, for a frozen class that only has plain fields.

    Raises:
        TypeError: The class has a slot for weak references, or its constructor does more than to set fields.
    """
    model: Any = get_origin(cls) or cls
    fields = attrs.fields(model)
    if (
        hasattr(model, "__attrs_post_init__")
        or "__weakref__" in vars(model)["__slots__"]
        or any(
            field.validator or field.converter or isinstance(field.default, cast("Any", attrs.Factory))
            for field in fields
        )
    ):
        raise TypeError(f"{model.__name__} does more than to set plain fields")
    return cast("Callable[P, T]", _compile_constructor(model, with_defaults=True))


def complete_constructor(cls: Callable[..., T]) -> Callable[..., T]:
    """Return a function that builds ``cls(…)`` of all of its fields, by name, which must be valid as they are.

    What the constructor does besides to set them, such as ``__attrs_post_init__``, is left out.
    """
    return cast("Callable[..., T]", _compile_constructor(cls, with_defaults=False))


def _compile_constructor(model: Any, *, with_defaults: bool) -> Any:
    fields = attrs.fields(model)
    scope: dict[str, Any] = {"new": object.__new__, "cls": model, "mutable": mutable_subclass(model)}
    parameters: list[str] = []
    for field in fields:
        if field.kw_only and "*" not in parameters:
            parameters.append("*")
        if field.default is attrs.NOTHING or not with_defaults:
            parameters.append(field.name)
        else:
            scope[f"default_{field.name}"] = field.default
            parameters.append(f"{field.name}=default_{field.name}")
    lines = [
        f"def construct({', '.join(parameters)}):",
        "    self = new(mutable)",
        *(f"    self.{field.name} = {field.name}" for field in fields),
        "    self.__class__ = cls",
        "    return self",
    ]
    exec(compile("\n".join(lines), f"<construct {model.__qualname__}>", "exec"), scope)  # noqa: S102  # generated from this package's classes only
    return scope["construct"]


def mutable_subclass(cls: type[Any]) -> type[Any]:
    """Return a class with the layout of ``cls`` whose instances can be filled field by field."""
    slots = vars(cls)["__slots__"]
    bases = vars(cls).get("__orig_bases__", cls.__bases__)  # a generic class needs its parameters
    # Without both, the interpreter keeps the slow path of the frozen base class.
    body = {"__slots__": slots, "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return types.new_class(f"_{cls.__name__}", bases, exec_body=lambda namespace: namespace.update(body))
