"""The configuration file: named profiles, each with a server and a reference to its API key."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import attrs

from truemed_async.errors import ConfigurationError

CONFIG_VARIABLE: Final = "TRUEMED_CONFIG"
DEFAULT_PROFILE: Final = "default"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,80}\Z")
_POSITION = re.compile(r"\((at [^()]*)\)\Z")


@attrs.frozen(kw_only=True)
class Profile:
    """One profile of the file.

    Attributes:
        name: Its name.
        environment: production, sandbox or emulator.
        base_url: The URL of another server.
        timeout: How long a call may take, in seconds.
        api_key_env: The environment variable that holds the API key.
        api_key_keyring: The entry of the system's keyring that holds the API key, SERVICE/USER.
    """

    name: str
    environment: str | None = None
    base_url: str | None = None
    timeout: float | None = None
    api_key_env: str | None = None
    api_key_keyring: str | None = None

    def __str__(self) -> str:
        return f"profile {self.name}"

    @property
    def key_reference(self) -> str | None:
        """Where the API key is."""
        if self.api_key_env is not None:
            return f"environment variable {self.api_key_env}"
        return None if self.api_key_keyring is None else f"keyring entry {self.api_key_keyring}"


def config_path(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Return the path of the configuration file, which need not exist."""
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    if platform == "win32":
        folder = environ.get("APPDATA") or os.path.expanduser(r"~\AppData\Roaming")  # noqa: PTH111  # never raises
    else:
        folder = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111  # never raises
    return Path(folder, "truemed", "config.toml")


def read_profiles(path: Path | None = None) -> Mapping[str, Profile]:
    """Return the profiles of the configuration file by name; none if there is no file.

    Raises:
        ConfigurationError: The file cannot be read or is wrong. No value of the file is shown: it may be a key.
    """
    path = config_path() if path is None else path
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if os.environ.get(CONFIG_VARIABLE):
            raise ConfigurationError(f"{CONFIG_VARIABLE}: there is no file {path}") from None
        return {}
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    tables = _parse(data, path)
    return {name: _read_profile(name, fields, path) for name, fields in tables.items()}


def _parse(data: bytes, path: Path) -> Mapping[str, Any]:
    """Return the tables of ``[profiles]``."""
    import tomllib  # noqa: PLC0415  # only if there is a file

    problem = "it is not UTF-8"
    content: dict[str, Any] | None = None
    try:
        content = tomllib.loads(data.decode())
    except UnicodeDecodeError:
        pass
    except tomllib.TOMLDecodeError as error:
        position = _POSITION.search(str(error))
        problem = f"it is not valid TOML{f' {position[1]}' if position else ''}"
    if content is None:  # raised outside of the block, so that no text of the file is chained
        raise ConfigurationError(f"{path}: {problem}")
    if unknown := content.keys() - {"profiles"}:
        if "api_key" in unknown:
            raise _refuse_key(path, "api_key")
        raise ConfigurationError(
            f"{path}: the file may only have tables [profiles.NAME]; [profiles.default] is used if no other is named"
        )
    profiles = content.get("profiles", {})
    if not isinstance(profiles, dict):
        raise ConfigurationError(f"{path}: profiles must be tables, such as [profiles.sandbox]")
    return cast("dict[str, Any]", profiles)


def _read_profile(name: str, fields: object, path: Path) -> Profile:
    if not _NAME.match(name):
        raise ConfigurationError(f"{path}: the name of a profile may have letters, digits, - and _")
    if not isinstance(fields, dict):
        raise ConfigurationError(f"{path}: profiles.{name} must be a table, [profiles.{name}]")
    values = cast("dict[str, Any]", fields)
    place = f"{path}: profiles.{name}"
    if "api_key" in values:
        raise _refuse_key(path, f"profiles.{name}.api_key")
    known = {field.name for field in attrs.fields(Profile)} - {"name"}
    if values.keys() - known:
        raise ConfigurationError(f"{place} may only have {', '.join(sorted(known))}")
    for field in known - {"timeout"}:
        if field in values and not (isinstance(values[field], str) and values[field]):
            raise ConfigurationError(f"{place}.{field} must be text in quotes")
    timeout = values.get("timeout", 1)
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < float("inf"):
        raise ConfigurationError(f"{place}.timeout must be a number of seconds greater than 0")
    if values.get("environment", "sandbox") not in ("production", "sandbox", "emulator"):
        raise ConfigurationError(f"{place}.environment must be production, sandbox or emulator")
    if "api_key_env" in values and "api_key_keyring" in values:
        raise ConfigurationError(f"{place}: api_key_env and api_key_keyring exclude each other")
    if "api_key_env" in values and not _VARIABLE.match(values["api_key_env"]):
        # It may be the key itself, in the wrong place.
        raise ConfigurationError(
            f"{place}.api_key_env must be the name of an environment variable, such as SHOP_API_KEY"
        )
    if "api_key_keyring" in values and not all(values["api_key_keyring"].rpartition("/")):
        raise ConfigurationError(f"{place}.api_key_keyring must be SERVICE/USER, such as truemed/sandbox")
    return Profile(name=name, **values)


def _refuse_key(path: Path, where: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path}: {where}: an API key must not be in the file. Remove it, and set api_key_env to the name of an "
        "environment variable, or api_key_keyring to SERVICE/USER of the system's keyring"
    )
