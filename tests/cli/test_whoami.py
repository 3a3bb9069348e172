"""``truemed whoami`` and ``truemed config``."""

from __future__ import annotations

import pytest

KEY = "some-api-key"


@pytest.fixture
def profiles(config_folder, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", KEY)
    path = config_folder / "truemed" / "config.toml"
    path.parent.mkdir()
    path.write_text(
        '[profiles.shop]\nenvironment = "sandbox"\napi_key_env = "SHOP_KEY"\n[profiles.demo]\ntimeout = 2\n'
    )
    return path


class TestWhoami:
    def test_working_key_exits_0(self, truemed, emulator):
        done = truemed("whoami")
        host = emulator.url.removeprefix("http://")
        assert (done.code, done.err) == (0, "")
        assert done.rows == [
            {
                "profile": None,
                "environment": None,
                "server": f"{host} (TRUEMED_BASE_URL)",
                "key": f"*** ({len(emulator.api_key)} characters)",
                "key_from": "TRUEMED_API_KEY",
                "works": True,
            }
        ]
        assert [request.route for request in emulator.requests] == ["qualification_sessions.list"]

    def test_refused_key_exits_1_and_is_not_shown(self, truemed, emulator, monkeypatch, terminal):
        monkeypatch.setenv("TRUEMED_API_KEY", KEY)
        done = truemed("whoami", out=terminal())
        assert done.code == 1
        assert "key          *** (12 characters)\nkey from     TRUEMED_API_KEY\nworks        no\n" in done.out
        assert "environment" not in done.out
        assert done.err.startswith("error: qualification_sessions.list: 401")
        assert KEY not in done.out + done.err

    def test_profile_is_named(self, truemed, profiles, emulator, monkeypatch):
        monkeypatch.delenv("TRUEMED_API_KEY")
        monkeypatch.setenv("SHOP_KEY", emulator.api_key)
        (row,) = truemed("whoami", "--profile", "shop").rows
        assert row["profile"] == "shop (--profile)"
        assert row["key_from"] == "environment variable SHOP_KEY of profile shop"
        assert row["works"]

    def test_emulator_works_without_a_key(self, truemed):
        done = truemed("whoami", "--env", "emulator", "--format", "table")
        assert done.code == 0
        assert "environment  emulator\nserver       the emulator inside this command (--env)\n" in done.out
        assert "works        yes, in " in done.out

    def test_missing_key_exits_2(self, truemed):
        done = truemed("whoami")
        assert (done.code, done.out) == (2, "")
        assert "TRUEMED_API_KEY" in done.err


class TestConfig:
    def test_path_is_printed(self, truemed, profiles):
        assert truemed("config", "path").out == f"{profiles}\n"

    def test_list_shows_where_keys_are(self, truemed, profiles):
        done = truemed("config", "list")
        assert [(row["name"], row["api_key_env"]) for row in done.rows] == [("shop", "SHOP_KEY"), ("demo", None)]
        assert KEY not in done.out

    def test_show_shows_one(self, truemed, profiles):
        (row,) = truemed("config", "show", "demo").rows
        assert (row["name"], row["timeout"]) == ("demo", 2)

    def test_show_of_unknown_profile_exits_2(self, truemed, profiles):
        done = truemed("config", "show", "hush")
        assert (done.code, done.out) == (2, "")
        assert "hush" not in done.err

    def test_global_options_are_refused(self, truemed):
        assert truemed("config", "list", "--env", "sandbox").code == 2
        assert truemed("--profile", "shop", "config", "list").err == (
            "error: --profile: `truemed config list` has no such option\n"
        )
