"""``truemed open``: which page it is, and whether it is printed or opened."""

import pytest

EMULATOR = "http://127.0.0.1:8642"


@pytest.fixture
def browser(monkeypatch):
    """The addresses that the browser was asked to open; it is there unless a test says otherwise."""
    links = []

    def open_url(url):
        links.append(url)
        return "nobrowser" not in url

    monkeypatch.setattr("webbrowser.open", open_url)
    return links


@pytest.mark.parametrize(
    ("argv", "url"),
    [
        (("--base-url", EMULATOR), f"{EMULATOR}/"),
        (("inspector", "--base-url", f"{EMULATOR}/"), f"{EMULATOR}/"),
        ((), "https://app.truemed.com/"),
        (("--env", "sandbox"), "https://dev.truemed.com/"),
        (("dashboard",), "https://app.truemed.com/"),
        (("webhooks",), "https://app.truemed.com/developers/webhooks/manage"),
        (("webhooks", "--env", "sandbox"), "https://dev.truemed.com/developers/webhooks/manage"),
        (("api-keys", "--env", "sandbox"), "https://dev.truemed.com/developers/api-keys"),
    ],
)
def test_pipe_receives_the_url_and_nothing_is_opened(truemed, browser, argv, url):
    done = truemed("open", *argv)
    assert (done.code, done.out, done.err, browser) == (0, f"{url}\n", "", [])


def test_terminal_opens_the_browser(truemed, browser, terminal):
    done = truemed("open", "--base-url", EMULATOR, out=terminal())
    assert (done.code, done.out, done.err) == (0, "", f"opening {EMULATOR}/\n")
    assert browser == [f"{EMULATOR}/"]


def test_print_opens_nothing_on_a_terminal(truemed, browser, terminal):
    done = truemed("open", "--print", out=terminal())
    assert (done.code, done.out, browser) == (0, "https://app.truemed.com/\n", [])


def test_without_a_browser_the_url_is_known_and_the_exit_code_is_1(truemed, browser, terminal):
    done = truemed("open", "--base-url", "https://nobrowser.example", out=terminal())
    assert (done.code, done.err) == (1, "opening https://nobrowser.example/\nerror: there is no browser\n")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("inspector",), "api.truemed.com (production, default) is no emulator: `truemed open dashboard` opens"),
        (("dashboard", "--base-url", EMULATOR), "127.0.0.1:8642 (--base-url) has no dashboard"),
        (("api-keys",), "where https://app.truemed.com has its API keys is not known"),
        (("--env", "emulator"), "the emulator of --env emulator ends with this command"),
        (("inspector", "--base-url", "https://other.truemed.com"), "is no emulator"),
        (("--base-url", "ftp://127.0.0.1"), "base_url must be"),
        (("logs",), 'unknown choice "logs"'),
    ],
)
def test_unknown_page_is_an_error_that_says_what_to_do(truemed, browser, argv, message):
    done = truemed("open", *argv)
    assert (done.code, done.out, browser) == (2, "", [])
    assert message in done.err
