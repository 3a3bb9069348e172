"""The settings of a connection: each is an option, an environment variable, a value of a profile, or a default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar, cast

import attrs

from truemed_async._sensitive import Sensitive
from truemed_async.cli.options import GlobalOptions
from truemed_async.cli.profiles import DEFAULT_PROFILE, Profile, config_path, read_profiles
from truemed_async.errors import ConfigurationError

ENVIRONMENTS: Final = ("production", "sandbox", "emulator")

KEY_VARIABLE: Final = "TRUEMED_API_KEY"
PROFILE_VARIABLE: Final = "TRUEMED_PROFILE"
ENVIRONMENT_VARIABLE: Final = "TRUEMED_ENVIRONMENT"
URL_VARIABLE: Final = "TRUEMED_BASE_URL"

T = TypeVar("T")


@attrs.frozen
class Setting(Generic[T]):
    """A setting.

    Attributes:
        value: Its value.
        source: What it was set by: an option, a variable, a profile, or "default".
        rank: The precedence of the source: 0 for an option, 1 for a variable, 2 for a profile, 3 for the default.
    """

    value: T
    source: str
    rank: int


@attrs.frozen(kw_only=True)
class KeyReference:
    """Where the API key is.

    Attributes:
        source: How to name the place.
        variable: The environment variable that holds it.
        keyring: The entry of the system's keyring that holds it, SERVICE/USER.
    """

    source: str
    variable: str | None = None
    keyring: str | None = None

    def read(self) -> Sensitive[object]:
        """Return the key.

        Raises:
            ConfigurationError: There is none.
        """
        if self.keyring is not None:
            return _read_keyring(self.keyring, self.source)
        key = Sensitive[object](os.environ.get(self.variable or KEY_VARIABLE, ""))
        if not key.value and self.variable in (None, KEY_VARIABLE):
            raise ConfigurationError(
                f"no API key: set {KEY_VARIABLE}, or use a profile of {config_path()}; "
                "--env emulator needs no key, and has made-up data"
            )
        if not key.value:
            raise ConfigurationError(f"no API key: {self.source} is not set")
        return key


@attrs.frozen(kw_only=True)
class Settings:
    """All settings of a connection.

    Attributes:
        profile: The profile, or ``None``.
        environment: production, sandbox or emulator; without meaning if there is a ``base_url``.
        base_url: The URL of another server, or ``None``.
        timeout: How long a call may take, in seconds, or ``None``.
        key: Where the API key is; ``None`` for an embedded emulator.
    """

    profile: Setting[Profile | None]
    environment: Setting[str]
    base_url: Setting[str | None]
    timeout: Setting[float | None]
    key: KeyReference | None

    @property
    def is_emulator(self) -> bool:
        """Whether the server is inside this command."""
        return self.key is None

    def overrides(self) -> list[str]:
        """Return what to say of variables that override the profile of ``--profile``."""
        profile = self.profile.value
        if profile is None or self.profile.rank > 0:
            return []
        pairs: list[tuple[Any, str]] = [
            (profile.environment, self.environment.source),
            (profile.base_url, self.base_url.source),
            (profile.key_reference, "" if self.key is None else self.key.source),
        ]
        variables = {ENVIRONMENT_VARIABLE, URL_VARIABLE, KEY_VARIABLE}
        names = [source for value, source in pairs if value is not None and source in variables]
        return [f"note: {name} is used instead of the value in {profile}" for name in names]


def resolve_settings(options: GlobalOptions, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings: an option goes before a variable, a variable before a profile, and that before the default.

    The server is one setting, by its URL or by the name of an environment: what has the higher precedence counts, and
    of the same precedence the URL.

    Raises:
        ConfigurationError: A setting is wrong, or two exclude each other.
    """
    selection = _choose((options.profile, "--profile"), (environ.get(PROFILE_VARIABLE), PROFILE_VARIABLE), (None, ""))
    is_embedded = options.env == "emulator" and selection.rank == 3
    profile = None if is_embedded else _find_profile(selection)
    found = Profile(name="") if profile is None else profile
    environment: Setting[str | None] = _choose(
        (options.env, "--env"),
        (environ.get(ENVIRONMENT_VARIABLE), ENVIRONMENT_VARIABLE),
        (found.environment, str(found)),
    )
    base_url = _choose(
        (options.base_url, "--base-url"), (environ.get(URL_VARIABLE), URL_VARIABLE), (found.base_url, str(found))
    )
    if environment.value is not None and environment.value not in ENVIRONMENTS:
        raise ConfigurationError(f"{environment.source} must be production, sandbox or emulator")
    is_emulator = environment.value == "emulator" and base_url.rank >= environment.rank
    if is_emulator and base_url.rank == environment.rank:
        source = "--env emulator" if environment.rank == 0 else f"{environment.source}=emulator"
        raise ConfigurationError(f"{base_url.source} and {source} exclude each other")
    if base_url.rank > environment.rank:
        base_url = Setting[str | None](None, environment.source, environment.rank)
    if not is_emulator and (options.sessions, options.seed) != (None, None):
        raise ConfigurationError("--sessions and --seed require --env emulator")
    return Settings(
        profile=Setting(profile, selection.source, selection.rank),
        environment=attrs.evolve(cast("Setting[str]", environment), value=environment.value or "production"),
        base_url=base_url,
        timeout=_choose((options.timeout, "--timeout"), (None, ""), (found.timeout, str(found))),
        key=None if is_emulator else _find_key(found, environ),
    )


def _choose(*candidates: tuple[T | None, str]) -> Setting[T | None]:
    """Return the first candidate with a value that is not empty, or ``None`` as the default."""
    for rank, (value, source) in enumerate(candidates):
        if value not in (None, ""):
            return Setting(value, source, rank)
    return Setting(None, "default", len(candidates))


def _find_profile(selection: Setting[str | None]) -> Profile | None:
    profiles = read_profiles()
    if selection.value is None:
        return profiles.get(DEFAULT_PROFILE)
    if selection.value not in profiles:
        names = f"choose from {', '.join(profiles)}" if profiles else "it has no profiles"
        raise ConfigurationError(f"{selection.source}: there is no such profile in {config_path()}; {names}")
    return profiles[selection.value]


def _find_key(profile: Profile, environ: Mapping[str, str]) -> KeyReference:
    if environ.get(KEY_VARIABLE) or profile.key_reference is None:
        return KeyReference(source=KEY_VARIABLE, variable=KEY_VARIABLE)
    source = f"{profile.key_reference} of {profile}"
    return KeyReference(source=source, variable=profile.api_key_env, keyring=profile.api_key_keyring)


def _read_keyring(entry: str, source: str) -> Sensitive[object]:
    try:
        import keyring  # noqa: PLC0415  # an extra, and slow to load
        from keyring.errors import KeyringError  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(f"{source} requires keyring: pip install 'truemed-async[keyring]'") from None
    service, _, user = entry.rpartition("/")
    try:
        key = Sensitive[object](keyring.get_password(service, user) or "")
    except KeyringError as error:
        raise ConfigurationError(f"{source} cannot be read: {type(error).__name__}") from None
    if not key.value:
        raise ConfigurationError(f"no API key: there is no {source}; add it with `keyring set {service} {user}`")
    return key
