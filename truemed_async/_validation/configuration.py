"""Checks of the client's own settings: which server, which key, which hooks, which rate limit."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from yarl import URL

from truemed_async._sensitive import Secret, Sensitive
from truemed_async._validation.urls import validate_base_url
from truemed_async.errors import ConfigurationError, InvalidArgumentError
from truemed_async.options import Hook, SharedRateLimit

_PLACEHOLDER = re.compile(r"\$[{(]|\{\{|\A\$[A-Za-z_]+\Z|\A%[A-Za-z_]+%\Z")
HOSTS: Mapping[str, str] = {
    "production": "https://api.truemed.com",
    "sandbox": "https://dev-api.truemed.com",
}


def resolve_base_url(environment: str | None, base_url: str | URL | None, *, allow_http: bool = False) -> URL:
    """Return the server's URL from the arguments or the environment variables; an argument takes precedence."""
    name = environment if environment is not None else os.environ.get("TRUEMED_ENVIRONMENT") or "production"
    if name not in HOSTS:
        names = " or ".join(repr(name) for name in HOSTS)
        raise ConfigurationError(f"environment must be {names}; for another server, such as an emulator, set base_url")
    url = base_url if base_url is not None else os.environ.get("TRUEMED_BASE_URL") or HOSTS[name]
    return validate_base_url(url, allow_http=allow_http)


def resolve_api_key(api_key: Sensitive[object]) -> Secret:
    """Return the API key from the argument or the environment variable; the argument wins."""
    if api_key.value is not None:
        return validate_api_key(api_key, "api_key")
    return validate_api_key(Sensitive(os.environ.get("TRUEMED_API_KEY")), "TRUEMED_API_KEY")


def validate_api_key(api_key: Sensitive[object], source: str) -> Secret:
    """Return the key as a :class:`Secret`. It is passed in a box because a traceback may show the locals of a frame."""
    if api_key.value is None:
        raise ConfigurationError("no API key: pass api_key=… or set the environment variable TRUEMED_API_KEY")
    if not isinstance(api_key.value, str):
        type_name = type(api_key.value).__name__
        raise ConfigurationError(f"{source} must be a string, not {type_name}")
    key = Secret(api_key.value)
    if not key.strip():
        raise ConfigurationError(f"{source} is blank")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(
            f"{source} contains spaces, line breaks or non-ASCII characters; was it copied with something around it?"
        )
    if key[0] in "\"'`" or key[-1] in "\"'`":
        raise ConfigurationError(f"{source} has quotes around it; pass the key without them")
    if _PLACEHOLDER.search(key):
        raise ConfigurationError(f"{source} is a placeholder that was not replaced, such as ${{NAME}}")
    if len(key) < 8:
        raise ConfigurationError(f"{source} is too short to be an API key")
    return key


def validate_hooks(hooks: object) -> tuple[Hook, ...]:
    """Return hooks as a tuple; each must be a plain callable."""
    if not isinstance(hooks, (list, tuple)):
        raise InvalidArgumentError("hooks must be a list or tuple of callables")
    sequence = cast("Sequence[Any]", hooks)
    for hook in sequence:
        if not callable(hook) or inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(type(hook).__call__):
            raise InvalidArgumentError("each hook must be a plain callable that takes one Attempt, not a coroutine")
    return tuple(sequence)


def validate_rate_limit(rate_limit: object) -> SharedRateLimit:
    """Return a shared rate limit if it has the methods of one."""
    methods = (getattr(rate_limit, name, None) for name in ("reserve", "on_rate_limited", "aclose"))
    if isinstance(rate_limit, type) or not all(map(inspect.iscoroutinefunction, methods)):
        raise InvalidArgumentError(
            "rate_limit must be a SharedRateLimit, such as FileRateLimit(…) or RedisRateLimit(…)"
        )
    return cast("SharedRateLimit", rate_limit)
