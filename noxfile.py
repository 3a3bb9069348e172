# /// script
# dependencies = ["nox[uv]>=2026.8.17"]
# ///
"""Every check, as a nox session: `nox` runs the default ones, `nox -l` lists all.

nox reads the block above and starts itself again with uv, which installs a session's packages in seconds.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.stop_on_first_error = False
nox.options.parallel = 2  # of the sessions that use one core most of the time; the others run alone
# Not among the default sessions: those that run for a long time, or measure.
nox.options.sessions = ["lint", "sync", "typing", "docs", "build", "instructions", "browser", "tests"]

WORKERS = str((os.cpu_count() or 1) + 1)  # tests also wait
SOURCES = ",dlt,spark"  # the extras of truemed_async.sources: large, and tested on one Python
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
PROJECT = nox.project.load_toml("pyproject.toml")

for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):  # every process would compile everything again
    os.environ.pop(name, None)
try:
    os.fstat(0)
except OSError:  # started with standard input closed: no other file may take its number
    os.open(os.devnull, os.O_RDONLY)


def group(name: str) -> list[str]:
    return nox.project.dependency_groups(PROJECT, name)


def warn(message: str) -> None:
    """Print what is not checked where nobody overlooks it."""
    print(f"\n*** {message} ***\n", file=sys.stderr)  # noqa: T201


def find_spark(session: nox.Session) -> list[str]:
    """Build the wheel of Spark once for all sessions, and return where to find it: its source takes a minute or more."""
    folder = session.cache_dir.resolve() / "wheels"
    if not list(folder.glob("pyspark-*.whl")):
        (spark,) = (each for each in PROJECT["project"]["optional-dependencies"]["spark"] if each.startswith("pyspark"))
        session.install("pip")
        session.run_install("python", "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", spark)
    return ["--find-links", str(folder)]


def install_browser(session: nox.Session, skipped: str) -> dict[str, str]:
    """Install what drives an installed Chromium, and axe-core; return the variables that name them to the tests."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        warn(f"CHROMIUM IS NOT INSTALLED: {skipped}")
        return {}
    session.install(*group("browser"))
    tmp = Path(session.create_tmp()).resolve()
    session.run("npm", "install", "--silent", "--prefix", str(tmp), "axe-core@>=4.10", external=True)
    return {"TRUEMED_CHROMIUM": chromium, "TRUEMED_AXE": str(tmp / "node_modules" / "axe-core" / "axe.min.js")}


def is_installed(python: str) -> bool:
    """Whether the interpreter starts: a shim of pyenv may exist for a version that is not active."""
    executable = shutil.which(f"python{python}")
    return python == "{}.{}".format(*sys.version_info) or (
        executable is not None
        and subprocess.run([executable, "-c", ""], capture_output=True, check=False).returncode == 0
    )


if not (shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))):
    warn("POSTGRESQL IS NOT INSTALLED: ITS STORES ARE NOT TESTED")
if not (shutil.which("redis-server") or shutil.which("valkey-server")):
    warn("REDIS IS NOT INSTALLED: ITS STORES ARE NOT TESTED")
if not shutil.which("java"):
    warn("JAVA IS NOT INSTALLED: SPARK IS NOT TESTED")
INSTALLED = [python for python in PYTHONS if is_installed(python)]
for missing in sorted({*PYTHONS} - {*INSTALLED}):
    warn(f"PYTHON {missing} IS NOT INSTALLED: THE TESTS DO NOT RUN ON IT")


@nox.session(python=INSTALLED)
def tests(session: nox.Session) -> None:
    """The suite in random order, with branch coverage, on one Python; on others, what can differ there.

    Without arguments, all but `tests/docs`, which the `docs` session runs.
    """
    extras, wheels = (SOURCES, find_spark(session)) if session.python == INSTALLED[0] else ("", [])
    session.install(*wheels, "-e", f".[cli,arrow,otel,png{extras}]", *group("tests"))
    arguments: list[str] = ["-n", WORKERS, "--dist", "worksteal"]
    if not session.posargs:
        arguments.append("--ignore=tests/docs")
    if session.python == INSTALLED[-1] != INSTALLED[0]:
        arguments += ["-m", "not one_python"]
    elif session.python != INSTALLED[0]:
        arguments += ["-m", "not one_python and not two_pythons"]
    elif not session.posargs:
        # pytest-cov hands the data of each worker over before the worker ends.
        arguments += ["--cov", "--cov-report=term"]
    session.run(
        "pytest", *arguments, *session.posargs, env={"COVERAGE_FILE": str(Path(session.create_tmp(), ".coverage"))}
    )


@nox.session(allow_parallel=True)
def lint(session: nox.Session) -> None:
    """Ruff: rules and format."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(allow_parallel=True)
def typing(session: nox.Session) -> None:
    """Mypy and pyright, both strict, and a complete type for every public name."""
    wheels = find_spark(session)
    session.install(*wheels, f".[cli,arrow,otel,png,speed{SOURCES}]", *group("tests"), *group("typing"))
    session.run("mypy")
    session.run("pyright")
    # From another directory, so that the installed package is checked.
    with session.chdir(session.create_tmp()):
        session.run("pyright", "--ignoreexternal", "--verifytypes", "truemed_async")


@nox.session(allow_parallel=True)
def sync(session: nox.Session) -> None:
    """The committed synchronous client is what the generator writes."""
    session.install("-e", ".")
    session.run("python", "-m", "truemed_async._codegen", "--check")


@nox.session(allow_parallel=True)
def docs(session: nox.Session) -> None:
    """The documentation: warnings are errors, everything public is in it, every example runs, the search finds guides."""
    session.install("-e", ".[cli,arrow,otel,png,dlt]", *group("tests"), *group("docs"))
    browser = install_browser(session, "THE SEARCH AND THE LOOKS OF THE DOCUMENTATION ARE NOT TESTED")
    built = Path("docs", "_build", "html").resolve()
    session.run("sphinx-build", "-nW", "--keep-going", "-b", "html", "docs", str(built))
    environment = {"TRUEMED_DOCS": str(built), **browser}
    arguments = ["-n", WORKERS, "--dist", "worksteal", *session.posargs]
    session.run("pytest", "tests/docs", *arguments, env=environment)
    if browser:  # in processes of its own: Playwright keeps an event loop running, where tests cannot start theirs
        none_selected = [5] if session.posargs else []
        session.run(
            "pytest", "tests/browser/test_docs.py", *arguments, env=environment, success_codes=[0, *none_selected]
        )


@nox.session(allow_parallel=True)
def build(session: nox.Session) -> None:
    """The wheel: built, checked, installed alone, and used from another directory."""
    session.install(*group("build"))
    out = Path(session.create_tmp(), "dist").resolve()
    shutil.rmtree(out, ignore_errors=True)
    session.run(
        "python", "-m", "build", "--installer=uv", "--outdir", str(out), env={"SOURCE_DATE_EPOCH": "1767225600"}
    )
    session.run("twine", "check", "--strict", *map(str, out.iterdir()))
    (wheel,) = out.glob("*.whl")
    session.run("python", "-m", "tests.wheel.check_contents", str(wheel))
    session.install("--force-reinstall", f"{wheel}[cli]", "pytest", "pytest-asyncio")
    check = Path("tests", "wheel", "check_wheel.py").resolve()
    with session.chdir(session.create_tmp()):
        session.run("python", "-I", str(check), str(wheel))


@nox.session
def browser(session: nox.Session) -> None:
    """The example shops and the emulator's pages in a headless Chromium, checked for accessibility by axe-core."""
    environment = install_browser(session, "THE PAGES ARE NOT TESTED")
    if not environment:
        return
    session.install("-e", ".[cli]", *group("tests"))
    session.run("pytest", "-n", WORKERS, "--dist", "worksteal", "tests/browser", *session.posargs, env=environment)


@nox.session
def long(session: nox.Session) -> None:
    """The tests of which the `tests` session runs a sample, in full: storms, soaks, bombs, 20,000 changing lists."""
    session.install(*find_spark(session), "-e", f".[cli,arrow,otel,png{SOURCES}]", *group("tests"))
    limits = ("--timeout=1800", "-o", "faulthandler_timeout=2400")
    session.run(
        "pytest", "-n", "2", "--dist", "worksteal", *limits, "-m", "scaled", *session.posargs, env={"TRUEMED_LONG": "1"}
    )


@nox.session
def mutation(session: nox.Session) -> None:
    """Mutants of retry, reading, redaction and URL building: 90 % killed, and a reason for every survivor."""
    session.install("-e", ".[cli]", *group("tests"), *group("mutation"))
    session.run("python", "-m", "tests.mutation.run", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against the targets and other clients; writes docs/performance.md and fails if a target is missed.

    A name after ``--`` runs a part, and writes nothing; ``--quick`` only shows that everything runs.
    """
    # The servers of the stores are those of the tests.
    session.install("-e", ".[arrow,cli,dlt,speed]", *group("tests"), *group("bench"))
    arguments = session.posargs or ["--docs", "--json", str(Path(session.create_tmp(), "figures.json"))]
    session.run("python", "-m", "tests.benchmarks.run", *arguments)


@nox.session(allow_parallel=True)
def instructions(session: nox.Session) -> None:
    """Count the instructions of decoding, a call, a delivery and a CSV row: 5 % more than the committed is a failure.

    They are compared on the committed toolchain only, and printed on others. ``--update`` commits others.
    """
    if shutil.which("valgrind") is None:
        warn("VALGRIND IS NOT INSTALLED: INSTRUCTIONS ARE NOT COUNTED")
        return
    session.install("-e", ".")
    session.run("python", "-m", "tests.benchmarks.instructions", *session.posargs)


@nox.session
def curves(session: nox.Session) -> None:
    """Measure how cost grows with what is in flight, pages, lists, threads and processes; draws docs/performance/."""
    session.install("-e", ".")
    session.run("python", "-m", "tests.benchmarks.curves", *(session.posargs or ["--docs"]))


@nox.session
def minimum(session: nox.Session) -> None:
    """The tests with the lowest versions of the dependencies that pyproject.toml permits."""
    # OpenTelemetry is missing: other libraries of the tests require a later one.
    extras = "cli,arrow,postgres,redis,speed"
    lowest = Path(session.create_tmp(), "lowest.txt").resolve()
    session.install("uv")
    selected = [argument for extra in extras.split(",") for argument in ("--extra", extra)]
    session.run(
        "uv", "pip", "compile", "--quiet", "--resolution=lowest-direct", "-o", str(lowest), "pyproject.toml", *selected
    )
    session.install("-c", str(lowest), "-e", f".[{extras},otel]", *group("tests"))
    arguments = ["-n", WORKERS, "--dist", "worksteal", "--ignore=tests/sources", "--ignore=tests/docs"]
    session.run("pytest", *arguments, *session.posargs)


@nox.session(name="release-check")
def release_check(session: nox.Session) -> None:
    """What a release needs, without an upload: equal builds, contents, each extra by itself, SBOM, workflows, changelog.

    ``-- --tag v0.2.0 --output DIR`` checks the tag and keeps the archives, the SBOM and the notes. Only packages are
    downloaded: with a filled cache, UV_OFFLINE=1 does without a network.
    """
    arguments = dict(zip(session.posargs[::2], session.posargs[1::2], strict=True))
    tag, output = arguments.pop("--tag", ""), Path(arguments.pop("--output", session.create_tmp())).resolve()
    if arguments:
        session.error(f"unknown arguments: {' '.join(arguments)}; --tag TAG and --output DIR are allowed")
    session.install(*group("build"), *group("release"))
    session.run(
        "check-jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        *map(str, Path(".github", "workflows").iterdir()),
    )
    session.run("zizmor", "--offline", "--quiet", "--min-severity", "medium", ".github")
    tmp = Path(session.create_tmp()).resolve() / "release"
    shutil.rmtree(tmp, ignore_errors=True)
    dist = output / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    moment = subprocess.run(["git", "log", "-1", "--format=%ct"], capture_output=True, text=True, check=True).stdout
    # Two clones that differ in all that must not matter.
    worlds = {dist: (0o022, "UTC", "0"), tmp / "second" / "dist": (0o077, "Asia/Tokyo", "1")}
    for number, (target, (umask, zone, seed)) in enumerate(worlds.items()):
        clone = tmp / f"clone-{'x' * 40 * number}"
        before = os.umask(umask)
        try:
            session.run("git", "clone", "--quiet", ".", str(clone), external=True)
            environment = {"SOURCE_DATE_EPOCH": moment.strip(), "TZ": zone, "PYTHONHASHSEED": seed}
            session.run("python", "-m", "build", "--installer=uv", "--outdir", str(target), str(clone), env=environment)
        finally:
            os.umask(before)
    session.run("twine", "check", "--strict", *map(str, dist.iterdir()))
    folders = map(str, worlds)
    session.run(
        "python", "-m", "tests.wheel.check_release", *folders, str(output / "notes.md"), *([tag] if tag else [])
    )
    (wheel,) = dist.glob("*.whl")
    check = Path("tests", "wheel", "check_extra.py").resolve()
    for extra in ["", *PROJECT["project"]["optional-dependencies"]]:
        python = tmp / f"venv-{extra}" / ("Scripts" if os.name == "nt" else "bin") / "python"
        session.run("uv", "venv", "--quiet", str(python.parents[1]))
        named = f"{wheel}[{extra}]" if extra else str(wheel)
        wheels = find_spark(session) if extra == "spark" else []
        session.run("uv", "pip", "install", "--quiet", "--python", str(python), *wheels, named)
        with session.chdir(tmp):
            session.run(str(python), "-I", str(check), *([extra] if extra else []), external=True)
        if not extra:
            bill = ["--output-reproducible", "--pyproject", "pyproject.toml", "-o", str(output / "sbom.cdx.json")]
            session.run("cyclonedx-py", "environment", str(python), *bill)
        shutil.rmtree(python.parents[1])


@nox.session
def capacity(session: nox.Session) -> None:
    """Compute what a number of sessions a month needs; writes docs/capacity.md and its picture."""
    session.install("attrs")
    session.run("python", "-m", "tests.benchmarks.capacity", *(session.posargs or ["--docs"]))
