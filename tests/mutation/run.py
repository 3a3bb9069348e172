"""Mutation testing: change the code in one place, and see whether a test fails.

``python -m tests.mutation.run`` runs all mutants of the modules below; ``--module``, ``--sample`` and ``--seed`` take
fewer. A mutant is killed when a test fails or hangs; one that cannot even be imported is not counted. Survivors have to
be listed, each with a reason, in ``survivors.toml``: one that is not listed is an error, as is a listed one that was
killed or is no longer made. Mutated code lives in memory only, in a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.util
import multiprocessing
import os
import random
import sys
import time
import tomllib
from collections import Counter
from importlib.machinery import SourceFileLoader
from pathlib import Path

# What the tests need is imported once, before the forks; the package itself is not.
import aiohttp.web
import aioresponses
import attrs
import cattrs
import orjson
import pytest
import pytest_asyncio
import yarl
from hypothesis import HealthCheck, Phase, settings

from tests.mutation.mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
SURVIVORS = Path(__file__).with_name("survivors.toml")
MIN_SCORE = 0.90
PATIENCE = 4  # times what the tests take without a change, and as many seconds on top: longer is a hang
NOT_IMPORTED = 70
PRELOADED = (aiohttp.web, aioresponses, attrs, cattrs, orjson, pytest_asyncio, yarl)

# Plugins that a mutant does without. What was imported before the forks cannot be rewritten, and needs no warning.
WITHOUT = (
    "-pno:cacheprovider",
    "-pno:randomly",
    "-pno:unraisableexception",
    "-pno:xdist",
    "-Wignore::pytest.PytestAssertRewriteWarning",
    "--hypothesis-profile=mutation",
)
MODULES = (
    "truemed_async._core.retry",
    "truemed_async._core.response",
    "truemed_async._core.request",
    "truemed_async._core.attempt_log",
    "truemed_async._sensitive",
)


class _Files:
    """A pytest plugin that finds the test files marked ``kills`` for each module, most specific ones first."""

    def __init__(self) -> None:
        self.of: dict[str, list[str]] = {module: [] for module in MODULES}

    def pytest_collection_modifyitems(self, items):
        marks = {item.path: item.get_closest_marker("kills") for item in items}
        for module, files in self.of.items():
            found = [
                (mark.args.index(module), str(file)) for file, mark in marks.items() if mark and module in mark.args
            ]
            files += [file for _, file in sorted(found)]


def _collect(files) -> None:
    """Run in a process of its own, because collecting imports the package."""
    plugin = _Files()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    code = pytest.main(
        ["-q", "--collect-only", "-mkills", *WITHOUT, "tests/core", *map(str, Path("tests").glob("*.py"))],
        plugins=[plugin],
    )
    files.send(plugin.of if code == 0 else {})


def find_test_files() -> dict[str, list[str]]:
    """Return the test files of each module."""
    receiving, sending = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_collect, args=(sending,))
    process.start()
    sending.close()
    files = receiving.recv()
    process.join()
    return files


class _Finder:
    """Finds the mutant in the place of its module."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.source = module, source

    def find_spec(self, name, path=None, target=None):
        if name != self.module:
            return None
        finder = self

        class Loader(SourceFileLoader):
            def get_code(self, fullname):
                return compile(finder.source, self.path, "exec", dont_inherit=True)

        file = str(_file(name))
        return importlib.util.spec_from_file_location(name, file, loader=Loader(name, file))


def _file(module: str) -> Path:
    return ROOT.joinpath(*module.split(".")).with_suffix(".py")


def _test(module: str, source: str, files: list[str]) -> None:
    """Run the tests of a mutant; the exit code is pytest's."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    sys.meta_path.insert(0, _Finder(module, source))
    try:
        importlib.import_module(module)
        importlib.import_module("truemed_async.client")
    except BaseException:
        os._exit(NOT_IMPORTED)
    os._exit(pytest.main(["-xq", "--tb=no", "--no-header", *WITHOUT, "-mnot many_examples", *files]))


def fate(module: str, source: str, files: list[str], patience: float | None = None) -> str:
    """Return the result of a mutant, whose tests have ``patience`` seconds."""
    process = multiprocessing.get_context("fork").Process(target=_test, args=(module, source, files))
    process.start()
    process.join(patience)
    if process.exitcode is None:
        process.kill()
        process.join()
        return "killed"
    return {0: "survived", NOT_IMPORTED: "not imported"}.get(process.exitcode, "killed")


def main() -> int:
    """Run the mutants, and return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--module", action="append", choices=MODULES, help="only this one; may be repeated")
    parser.add_argument("--sample", type=int, help="only so many mutants of each module")
    parser.add_argument("--seed", type=int, default=0, help="which ones a sample takes")
    options = parser.parse_args()

    gc.freeze()  # what is loaded by now stays: no child needs to look through it
    os.chdir(ROOT)
    calm = {"deadline": None, "derandomize": True, "database": None, "suppress_health_check": list(HealthCheck)}
    settings.register_profile("mutation", max_examples=50, phases=(Phase.explicit, Phase.generate), **calm)
    survivors = tomllib.loads(SURVIVORS.read_text(encoding="utf-8"))["survivor"]
    files = find_test_files()
    wrong: list[str] = []
    for module in options.module or MODULES:
        source = _file(module).read_text(encoding="utf-8")
        started = time.monotonic()
        if fate(module, source, files[module]) != "survived":
            print(f"the tests of {module} fail without any change")
            return 2
        patience = PATIENCE * (time.monotonic() - started + 1)
        reasons = {each["mutant"]: each["reason"] for each in survivors if each["module"] == module}
        found_mutants = list(mutants(module, source))
        wrong += [
            f"listed, but no longer made: {module} {name}" for name in reasons.keys() - {m.name for m in found_mutants}
        ]
        chosen: list[Mutant] = found_mutants
        if options.sample is not None and options.sample < len(found_mutants):
            chosen = random.Random(options.seed).sample(found_mutants, options.sample)
        fates: Counter[str] = Counter()
        for mutant in chosen:
            found = fate(module, mutant.source, files[module], patience)
            fates[found] += 1
            if found == "survived" and mutant.name not in reasons:
                wrong.append(f"survived, and is not listed: {module} {mutant.name}")
                print(f"  survived: {mutant.name}", flush=True)
            if found != "survived" and mutant.name in reasons:
                wrong.append(f"listed, but {found}: {module} {mutant.name}")
        total = fates["killed"] + fates["survived"]
        share = fates["killed"] / total if total else 1.0
        print(
            f"{module}: {fates['killed']}/{total} killed ({share:.1%}), {fates['survived']} survived, "
            f"{fates['not imported']} not imported, {time.monotonic() - started:.0f} s",
            flush=True,
        )
        if share < MIN_SCORE:
            wrong.append(f"{module}: {share:.1%} killed, and {MIN_SCORE:.0%} are wanted")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
