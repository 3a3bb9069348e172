"""Modules of an extra say how to install what is missing."""

from __future__ import annotations

import importlib.util
import sys

import pytest

import truemed_async

MODULES = {
    "exports.arrow": ("arrow", "pyarrow"),
    "opentelemetry": ("otel", "opentelemetry"),
    "sources.dlt": ("dlt", "dlt"),
    "sources.spark": ("spark", "pyspark.sql.datasource"),
    "webhooks.postgres": ("postgres", "psycopg"),
    "webhooks.redis": ("redis", "redis"),
}


@pytest.mark.parametrize("module", MODULES)
def test_import_without_the_library_names_the_extra(module, monkeypatch):
    extra, library = MODULES[module]
    monkeypatch.setitem(sys.modules, library, None)  # an import of it fails as if it were not installed
    file = truemed_async.__path__[0] + "/" + module.replace(".", "/") + ".py"
    spec = importlib.util.spec_from_file_location("a_second_copy", file)

    with pytest.raises(ModuleNotFoundError) as caught:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))

    name = library.partition(".")[0]
    assert str(caught.value) == f"{name} is not installed: pip install 'truemed-async[{extra}]'"
    assert caught.value.name == library
