"""Settings of a connection: the configuration file, precedence, keys by reference."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest

from truemed_async.cli.options import GlobalOptions
from truemed_async.cli.profiles import Profile, config_path, read_profiles
from truemed_async.cli.settings import resolve_settings
from truemed_async.errors import ConfigurationError

SHOP = Profile(name="shop", environment="sandbox", api_key_env="SHOP_KEY", timeout=7)
TEXT = """
[profiles.shop]
environment = "sandbox"
api_key_env = "SHOP_KEY"
timeout = 7

[profiles.local]
base_url = "http://127.0.0.1:1"

[profiles.demo]
environment = "emulator"
"""


@pytest.fixture
def write_config(config_folder):
    def write(text):
        path = config_folder / "truemed" / "config.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def shop(write_config):
    return write_config(TEXT)


# --- the file -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"TRUEMED_CONFIG": "/a/b.toml", "XDG_CONFIG_HOME": "/x"}, "linux", "/a/b.toml"),
        ({"XDG_CONFIG_HOME": "/x"}, "linux", "/x/truemed/config.toml"),
        ({"XDG_CONFIG_HOME": ""}, "darwin", "~/.config/truemed/config.toml"),
        ({}, "linux", "~/.config/truemed/config.toml"),
        ({"APPDATA": "/roaming"}, "win32", "/roaming/truemed/config.toml"),
        ({}, "win32", r"~\AppData\Roaming/truemed/config.toml"),
    ],
)
def test_config_path_is_that_of_the_system(monkeypatch, environ, platform, expected):
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert config_path(environ, platform) == Path(expected)


def test_profiles_are_read(shop):
    assert read_profiles()["shop"] == SHOP
    assert list(read_profiles()) == ["shop", "local", "demo"]


@pytest.mark.parametrize("folder", ["", "no-folder", "file"])
def test_without_a_file_there_are_no_profiles(monkeypatch, config_folder, folder):
    (config_folder / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config_folder / folder))
    assert read_profiles() == {}


def test_named_file_that_is_missing_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("TRUEMED_CONFIG", str(tmp_path / "x.toml"))
    with pytest.raises(ConfigurationError, match="TRUEMED_CONFIG: there is no file"):
        read_profiles()


def test_directory_in_place_of_the_file_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("TRUEMED_CONFIG", str(tmp_path))
    with pytest.raises(ConfigurationError, match="cannot be read: "):
        read_profiles()


SECRET = "live-1234567890-hush"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'[profiles.shop]\napi_key = "{SECRET}"', "profiles.shop.api_key: an API key must not be in the file"),
        (f'api_key = "{SECRET}"', "api_key: an API key must not be in the file"),
        (f'[profiles.shop]\napi_key_env = "{SECRET}"', "api_key_env must be the name of an environment variable"),
        (f'[profiles.shop]\napi_key_keyring = "{SECRET}"', "api_key_keyring must be SERVICE/USER"),
        (f'[profiles.shop]\n{SECRET} = "1"', "profiles.shop may only have api_key_env, api_key_keyring, base_url"),
        (f'[profiles.shop]\ntimeout = "{SECRET}"', "timeout must be a number of seconds"),
        ("[profiles.shop]\ntimeout = true", "timeout must be a number of seconds"),
        ("[profiles.shop]\ntimeout = 0", "timeout must be a number of seconds"),
        ("[profiles.shop]\ntimeout = inf", "timeout must be a number of seconds"),
        (f'[profiles.shop]\nenvironment = "{SECRET}"', "environment must be production, sandbox or emulator"),
        ("[profiles.shop]\nbase_url = 1", "base_url must be text in quotes"),
        ('[profiles.shop]\nbase_url = ""', "base_url must be text in quotes"),
        ('[profiles.shop]\napi_key_env = "A"\napi_key_keyring = "a/b"', "exclude each other"),
        (f'profiles.shop = "{SECRET}"', "profiles.shop must be a table"),
        (f'profiles = "{SECRET}"', "profiles must be tables"),
        (f'["profiles"."{SECRET} x"]', "the name of a profile may have"),
        (f"[{SECRET}]", r"the file may only have tables \[profiles.NAME\]"),
        (f"[profiles.shop]\napi_key = {SECRET}", r"not valid TOML at line 2, column \d+"),
        (f'api_key = "{SECRET}', "not valid TOML at end of document|not valid TOML at line 1"),
    ],
)
def test_wrong_file_is_refused_without_its_values(truemed, write_config, text, message):
    path = write_config(text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_profiles()
    assert str(caught.value).startswith(f"{path}: ")
    error = caught.value
    while error is not None:
        assert SECRET not in str(error)
        error = None if error.__suppress_context__ else error.__context__
    done = truemed("sessions", "list")
    assert (done.code, done.out) == (2, "")
    assert SECRET not in done.err


def test_file_that_is_not_utf_8_is_refused(shop):
    shop.write_bytes(b"[profiles.\xff]")
    with pytest.raises(ConfigurationError, match="it is not UTF-8"):
        read_profiles()


# --- precedence ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "environ", "expected"),
    [
        ({}, {}, ("production", "default", None, "default")),
        ({}, {"TRUEMED_ENVIRONMENT": "sandbox"}, ("sandbox", "TRUEMED_ENVIRONMENT", None, "TRUEMED_ENVIRONMENT")),
        ({}, {"TRUEMED_PROFILE": "shop"}, ("sandbox", "profile shop", None, "profile shop")),
        (
            {"profile": "shop"},
            {"TRUEMED_ENVIRONMENT": "production", "TRUEMED_PROFILE": "none"},
            ("production", "TRUEMED_ENVIRONMENT", None, "TRUEMED_ENVIRONMENT"),
        ),
        ({"env": "production"}, {"TRUEMED_PROFILE": "shop"}, ("production", "--env", None, "--env")),
        (
            {"env": "production"},
            {"TRUEMED_BASE_URL": "http://127.0.0.1:2"},
            ("production", "--env", None, "--env"),
        ),
        ({}, {"TRUEMED_PROFILE": "local"}, ("production", "default", "http://127.0.0.1:1", "profile local")),
        ({"profile": "local", "env": "sandbox"}, {}, ("sandbox", "--env", None, "--env")),
        (
            {"base_url": "http://127.0.0.1:3"},
            {"TRUEMED_ENVIRONMENT": "emulator"},
            ("emulator", "TRUEMED_ENVIRONMENT", "http://127.0.0.1:3", "--base-url"),
        ),
        (
            {},
            {"TRUEMED_BASE_URL": "http://127.0.0.1:2", "TRUEMED_PROFILE": "demo"},
            ("emulator", "profile demo", "http://127.0.0.1:2", "TRUEMED_BASE_URL"),
        ),
    ],
)
def test_option_precedes_variable_precedes_profile(shop, options, environ, expected):
    settings = resolve_settings(GlobalOptions(**options), environ)
    environment, base_url = settings.environment, settings.base_url
    assert (environment.value, environment.source, base_url.value, base_url.source) == expected
    assert not settings.is_emulator


@pytest.mark.parametrize(
    ("options", "environ"),
    [
        ({"env": "emulator"}, {"TRUEMED_BASE_URL": "http://127.0.0.1:2", "TRUEMED_ENVIRONMENT": "staging"}),
        ({}, {"TRUEMED_ENVIRONMENT": "emulator"}),
        ({"profile": "demo"}, {}),
        ({"sessions": 3, "seed": 1}, {"TRUEMED_ENVIRONMENT": "emulator"}),
    ],
)
def test_emulator_is_chosen_by_option_variable_or_profile(shop, options, environ):
    settings = resolve_settings(GlobalOptions(**options), environ)
    assert settings.is_emulator
    assert settings.key is None


@pytest.mark.parametrize(
    ("options", "environ", "message"),
    [
        ({}, {"TRUEMED_ENVIRONMENT": "staging"}, "TRUEMED_ENVIRONMENT must be production, sandbox or emulator"),
        (
            {},
            {"TRUEMED_ENVIRONMENT": "emulator", "TRUEMED_BASE_URL": "http://127.0.0.1:2"},
            "TRUEMED_BASE_URL and TRUEMED_ENVIRONMENT=emulator exclude each other",
        ),
        (
            {"env": "emulator", "base_url": "http://127.0.0.1:2"},
            {},
            "--base-url and --env emulator exclude each other",
        ),
        ({"sessions": 1}, {}, "--sessions and --seed require --env emulator"),
        ({"profile": "shp"}, {}, "--profile: there is no such profile in .*; choose from shop, local, demo"),
        ({}, {"TRUEMED_PROFILE": "shp"}, "TRUEMED_PROFILE: there is no such profile"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(shop, options, environ, message):
    with pytest.raises(ConfigurationError, match=message):
        resolve_settings(GlobalOptions(**options), environ)


def test_profile_without_a_file_is_refused():
    with pytest.raises(ConfigurationError, match="it has no profiles"):
        resolve_settings(GlobalOptions(profile="shop"), {})


def test_profile_named_default_needs_no_option(write_config):
    write_config('[profiles.default]\nenvironment = "sandbox"')
    assert resolve_settings(GlobalOptions(), {}).environment.source == "profile default"


def test_timeout_of_option_precedes_profile(shop):
    assert resolve_settings(GlobalOptions(profile="shop"), {}).timeout.value == 7
    assert resolve_settings(GlobalOptions(profile="shop", timeout=2.5), {}).timeout.value == 2.5


# --- keys ---------------------------------------------------------------------------------------------------------


def key_of(profile=None):
    key = resolve_settings(GlobalOptions(profile=profile)).key
    assert key is not None
    return key


def test_key_of_variable_precedes_that_of_profile(shop, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", "of-the-shop")
    assert key_of("shop").read().value == "of-the-shop"
    assert key_of("shop").source == "environment variable SHOP_KEY of profile shop"
    monkeypatch.setenv("TRUEMED_API_KEY", "of-the-variable")
    assert key_of("shop").read().value == "of-the-variable"


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        (None, "no API key: set TRUEMED_API_KEY, or use a profile of .*config.toml; --env emulator needs no key"),
        ("shop", "no API key: environment variable SHOP_KEY of profile shop is not set"),
        ("local", "no API key: set TRUEMED_API_KEY"),
    ],
)
def test_missing_key_says_what_to_set(shop, profile, message):
    with pytest.raises(ConfigurationError, match=message):
        key_of(profile).read()


class Keyring(keyring.backend.KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        if service == "locked":
            raise keyring.errors.KeyringLocked("the words of the system")
        return {("truemed/eu", "shop"): "of-the-keyring"}.get((service, username))

    def set_password(self, service, username, password):
        raise NotImplementedError  # a keyring has to have it, and the command line never writes


@pytest.fixture
def system_keyring():
    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    yield
    keyring.set_keyring(before)


def test_key_is_read_from_the_keyring(system_keyring, write_config):
    write_config('[profiles.shop]\napi_key_keyring = "truemed/eu/shop"')
    assert key_of("shop").read().value == "of-the-keyring"
    assert key_of("shop").source == "keyring entry truemed/eu/shop of profile shop"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("truemed/other", "no API key: there is no keyring entry truemed/other .*`keyring set truemed other`"),
        ("locked/shop", "keyring entry locked/shop of profile shop cannot be read: KeyringLocked"),
    ],
)
def test_keyring_without_the_key_says_why(system_keyring, write_config, entry, message):
    write_config(f'[profiles.shop]\napi_key_keyring = "{entry}"')
    with pytest.raises(ConfigurationError, match=message):
        key_of("shop").read()


def test_missing_keyring_names_the_extra(write_config, monkeypatch):
    write_config('[profiles.shop]\napi_key_keyring = "truemed/shop"')
    real = builtins.__import__

    def without_keyring(name, *args, **options):
        if name == "keyring":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without_keyring)
    with pytest.raises(ConfigurationError, match=r"pip install 'truemed-async\[keyring\]'"):
        key_of("shop").read()


def test_keyring_is_imported_only_when_it_is_used(start, finish, shop):
    code = (
        "import sys; before = {*sys.modules}; from truemed_async.__main__ import main;"
        "main(['--env', 'emulator', 'sessions', 'list', '--page-size', '1']);"
        "print(*{*sys.modules} - before, file=sys.stderr)"
    )
    done = finish(start(program=("-c", code)))
    assert done.code == 0
    assert not {"keyring", "tomllib"}.intersection(done.err.split())
    assert sys.modules["keyring"]


# --- commands -----------------------------------------------------------------------------------------------------


def test_command_uses_the_profile(truemed, emulator, monkeypatch, write_config):
    monkeypatch.delenv("TRUEMED_BASE_URL")
    monkeypatch.delenv("TRUEMED_API_KEY")
    monkeypatch.setenv("SHOP_KEY", emulator.api_key)
    write_config(f'[profiles.shop]\nbase_url = "{emulator.url}"\napi_key_env = "SHOP_KEY"')
    emulator.state.qualification_sessions.add()

    assert len(truemed("--profile", "shop", "sessions", "list").rows) == 1
    monkeypatch.setenv("TRUEMED_PROFILE", "shop")
    assert len(truemed("sessions", "list").rows) == 1


def test_variable_that_overrides_the_profile_of_the_option_is_named(truemed, emulator, write_config):
    write_config('[profiles.shop]\nbase_url = "http://127.0.0.1:1"\napi_key_env = "SHOP_KEY"')
    done = truemed("--profile", "shop", "sessions", "list")
    assert done.code == 0
    assert done.err.splitlines() == [
        "note: TRUEMED_BASE_URL is used instead of the value in profile shop",
        "note: TRUEMED_API_KEY is used instead of the value in profile shop",
    ]


def test_emulator_by_variable_needs_no_key(truemed, monkeypatch):
    monkeypatch.setenv("TRUEMED_ENVIRONMENT", "emulator")
    assert len(truemed("sessions", "list", "--sessions", "1", "--page-size", "1").rows) == 1


def test_malformed_key_names_its_source(truemed, monkeypatch, shop):
    monkeypatch.setenv("SHOP_KEY", "ö" * 9)
    done = truemed("--profile", "shop", "sessions", "list")
    assert done.code == 2
    assert done.err.startswith("error: environment variable SHOP_KEY of profile shop contains")
    assert "ö" not in done.err
