"""What the tests of the inspector share: a browser without JavaScript, and pages in a form that is easy to assert."""

import pytest

from tests.support.browser import Shopper

INSPECTOR = "/_emulator/inspector"
HOSTILE = "\"'><script>alert(1)</script>"
NOWHERE = "http://127.0.0.1:9/"


@pytest.fixture
def shopper(emulator):
    return Shopper(emulator)


@pytest.fixture
def look(shopper):
    """Read a page of the inspector; return what is on it."""

    def look(path="payments", status=200):
        view = shopper.get(path if path.startswith("/") else f"{INSPECTOR}/{path}")
        assert view.status == status, view.text
        return view.page

    return look


@pytest.fixture
def press(shopper):
    """Press a button; it leads back to the page that it stands on."""

    def press(action, /, back="webhooks", **form):
        done = shopper.post(f"{INSPECTOR}/do/{action}", {"back": f"{INSPECTOR}/{back}", **form})
        assert (done.status, done.onward) == (303, f"{INSPECTOR}/{back}"), done
        return done

    return press


@pytest.fixture
def assert_refused(shopper):
    """Press a button without effect; return the message."""

    def assert_refused(action, /, **form):
        response = shopper.post(f"{INSPECTOR}/do/{action}", {"back": f"{INSPECTOR}/tokens", **form})
        assert (response.status, response.page.alert) == (409, True), response
        return response.page.text

    return assert_refused


def words(page):
    """The text of a page, on one line."""
    return " ".join(page.text.split())


def ids(page):
    """The ids in the first column of a list."""
    return [row.split("/")[-1] for row in page.links if row.count("/") == 4 and "?" not in row]
