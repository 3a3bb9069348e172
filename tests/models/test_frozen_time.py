"""Models that are first used, or imported, while a tool such as freezegun has replaced the classes of ``datetime``."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Replaces `date` and `datetime` by derived classes in the `datetime` module and in all loaded modules, as freezegun
# does, and restores them in all modules, those that were imported meanwhile included.
FREEZER = """
import contextlib, datetime, sys

real = {"date": datetime.date, "datetime": datetime.datetime}

class Meta(type):
    def __instancecheck__(cls, value): return isinstance(value, cls.real)
    def __subclasscheck__(cls, kind): return issubclass(kind, cls.real)

class FakeDate(real["date"], metaclass=Meta): real = real["date"]
class FakeDatetime(real["datetime"], metaclass=Meta): real = real["datetime"]
fake = {"date": FakeDate, "datetime": FakeDatetime}

def replace(old, new):
    for module in [*sys.modules.values()]:
        for name, value in [*vars(module).items()]:
            if module.__name__ != "__main__":
                for kind in old:
                    if value is old[kind]:
                        setattr(module, name, new[kind])

@contextlib.contextmanager
def frozen():
    replace(real, fake)
    yield
    replace(fake, real)
"""
USE = """
from truemed_async import CatalogItem, QualificationSession
from truemed_async.models._reading import structurer

def use():
    session = structurer(QualificationSession)(
        {"qualification_session_id": "qs_1", "status": "approved", "expires_at": "2027-01-01T00:00:00"}
    )
    assert session.expires_at.isoformat() == "2027-01-01T00:00:00+00:00"
    assert type(session.expires_at) is real["datetime"], type(session.expires_at)
    assert session.to_dict()["expires_at"] == "2027-01-01T00:00:00Z"
    assert structurer(real["date"])("2027-01-01") == real["date"](2027, 1, 1)
    try:
        structurer(QualificationSession)({"qualification_session_id": "qs_1", "status": "approved", "expires_at": 1})
    except Exception as error:
        assert error.expected == "an ISO 8601 date and time"
    else:
        raise AssertionError
"""


def run(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "order",
    [
        f"{USE}\nwith frozen(): use()\nuse()",
        f"with frozen():\n    exec({USE!r})\n    use()\nuse()",
        f"with frozen():\n    exec({USE!r})\nuse()\nwith frozen(): use()",
        f"{USE}\nuse()\nwith frozen(): use()",
    ],
    ids=["first used while frozen", "imported and used while frozen", "imported while frozen", "used before"],
)
def test_models_are_right_while_time_is_frozen_and_afterwards(order):
    run(FREEZER + order)
