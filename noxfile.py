"""Everything that is checked, as nox sessions: `nox` runs them all, `nox -l` lists them."""

import os
import shutil
import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.stop_on_first_error = False

PYTHONS = ["3.11", "3.12", "3.13"]
PROJECT = nox.project.load_toml("pyproject.toml")


def group(name: str) -> list[str]:
    return nox.project.dependency_groups(PROJECT, name)


def available(python: str) -> bool:
    """Whether an interpreter is there; if not, say so where nobody overlooks it."""
    if python == f"{sys.version_info.major}.{sys.version_info.minor}" or shutil.which(f"python{python}"):
        return True
    print(f"\n*** PYTHON {python} IS NOT INSTALLED: THE TESTS DO NOT RUN ON IT ***\n", file=sys.stderr)  # noqa: T201
    return False


@nox.session(python=[python for python in PYTHONS if available(python)])
def tests(session: nox.Session) -> None:
    """The whole suite, in random order, with warnings as errors; the last one checks the branch coverage of all."""
    session.install("-e", ".[cli,parquet]", *group("tests"))
    coverage = {"COVERAGE_FILE": str(Path(session.create_tmp(), ".coverage"))}
    session.run("coverage", "erase", env=coverage)
    session.run("coverage", "run", "-m", "pytest", "-n", "3", *session.posargs, env=coverage)
    session.run("coverage", "combine", "--quiet", env=coverage)
    if not session.posargs:
        session.run("coverage", "report", env=coverage)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and format."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def typing(session: nox.Session) -> None:
    """Mypy and pyright, both strict, and every public name with a complete type."""
    session.install(".[cli,speed]", *group("tests"), *group("typing"))
    session.run("mypy")
    session.run("pyright")
    # From outside, so that it is the installed package that is looked at.
    with session.chdir(session.create_tmp()):
        session.run("pyright", "--ignoreexternal", "--verifytypes", "truemed_async")


@nox.session
def sync(session: nox.Session) -> None:
    """The generated synchronous client is what the generator writes."""
    session.install("-e", ".")
    session.run("python", "-m", "truemed_async._codegen", "--check")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation: every warning an error, everything public in it, every example run."""
    session.install("-e", ".[cli,parquet]", *group("tests"), *group("docs"))
    built = Path("docs", "_build", "html").resolve()
    session.run("sphinx-build", "-nW", "--keep-going", "-b", "html", "docs", str(built))
    session.run("pytest", "-n", "3", "tests/docs", *session.posargs, env={"TRUEMED_DOCS": str(built)})


@nox.session
def build(session: nox.Session) -> None:
    """The wheel: built, checked, installed alone, and used from another directory."""
    session.install(*group("build"))
    out = Path(session.create_tmp(), "dist").resolve()
    shutil.rmtree(out, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(out), env={"SOURCE_DATE_EPOCH": "1767225600"})
    session.run("twine", "check", "--strict", *map(str, out.iterdir()))
    (wheel,) = out.glob("*.whl")
    session.install("--force-reinstall", f"{wheel}[cli]", "pytest", "pytest-asyncio")
    check = Path("tests", "wheel", "check_wheel.py").resolve()
    with session.chdir(session.create_tmp()):
        session.run("python", "-I", str(check), str(wheel))


@nox.session
def browser(session: nox.Session) -> None:
    """The example shops and the emulator's pages in a headless Chromium, with axe-core looking for barriers."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("\n*** CHROMIUM IS NOT INSTALLED: THE PAGES ARE NOT TESTED ***\n", file=sys.stderr)  # noqa: T201
        return
    session.install("-e", ".[cli]", *group("tests"), *group("browser"))
    tmp = Path(session.create_tmp()).resolve()
    session.run("npm", "install", "--silent", "--prefix", str(tmp), "axe-core@>=4.10", external=True)
    axe = tmp / "node_modules" / "axe-core" / "axe.min.js"
    environment = {"TRUEMED_CHROMIUM": chromium, "TRUEMED_AXE": str(axe)}
    session.run("pytest", "-n", "2", "tests/browser", *session.posargs, env=environment)


@nox.session
def long(session: nox.Session) -> None:
    """The long runs of which the ordinary suite takes a sample: storms, soaks, bombs, 20,000 moving lists."""
    session.install("-e", ".[cli,parquet]", *group("tests"))
    folders = (
        "tests/resources/bulk",
        "tests/exports",
        "tests/frameworks",
        "tests/core",
        "tests/security",
        "tests/stress",
        "tests/sync",
    )
    long = (
        *folders,
        "tests/validation",
        "tests/models",
        "tests/webhooks",
        "tests/emulator/test_openapi.py",
        "tests/integration/test_payment_faults.py",
    )
    session.run("pytest", "-n", "2", *long, env={"TRUEMED_LONG": "1"})


@nox.session
def mutation(session: nox.Session) -> None:
    """Mutants of retry, reading, redaction and URL building: 90 % killed, and every survivor listed with a reason."""
    session.install("-e", ".[cli]", *group("tests"), *group("mutation"))
    session.run("python", "-m", "tests.mutation.run", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure, beside the targets and the peers; writes the table of docs/performance.md. Fails if a target is missed."""
    session.install("-e", ".[speed]", *group("bench"))
    arguments = session.posargs or ["--docs", "--json", str(Path(session.create_tmp(), "figures.json"))]
    session.run("python", "-m", "tests.benchmarks.run", *arguments)


# Not among the default sessions: what takes long, or measures.
nox.options.sessions = ["lint", "sync", "typing", "docs", "build", "browser", "tests"]
os.environ.pop("PYTHONPATH", None)
