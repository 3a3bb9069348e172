"""Names that packages import on first use."""

from __future__ import annotations

import subprocess
import sys

import pytest

import truemed_async
from truemed_async import models, resources


@pytest.mark.parametrize("module", [truemed_async, models, resources])
@pytest.mark.parametrize("name", ["Nonsense", "nonsense", "_nonsense"])
def test_unknown_name_is_an_attribute_error_of_that_module(module, name):
    with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute '{name}'"):
        getattr(module, name)


@pytest.mark.parametrize("module", [truemed_async, models, resources])
def test_every_exported_name_is_found_and_listed(module):
    assert all(hasattr(module, name) for name in module.__all__)
    assert set(module.__all__) <= set(dir(module))


def test_importing_the_client_loads_no_models_and_no_resources():
    code = (
        "import sys, truemed_async.client as client; made = client.AsyncTruemed('test-key-0123456789');"
        "print(*sys.modules); made.payment_tokens; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    before, after = (set(line.split()) for line in done.stdout.splitlines())
    assert not {
        name for name in before if name.startswith("truemed_async.resources.") and not name.endswith("._property")
    }
    assert "truemed_async.models.payment_tokens" not in before
    assert "truemed_async.endpoints" not in before
    assert {"truemed_async.resources.payment_tokens", "truemed_async.models.payment_tokens"} <= after
