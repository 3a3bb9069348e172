"""The package's own rules, read from its sources: which way imports go, and what no file may do."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import attrs
import pytest

from tests.support.sources import FILES, syntax_tree


def module_of(file: str) -> str:
    """Return the name of a file's module below ``truemed_async``; that of the package itself is empty."""
    name = file.removesuffix(".py").replace("/", ".")
    return "" if name == "__init__" else name.removesuffix(".__init__")


MODULES = {module_of(file): file for file in FILES}


def tree_of(module: str) -> ast.Module:
    return syntax_tree(MODULES[module])


# From the ground up: a floor may import those below it, and itself. A name stands for itself and what is inside it.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("_extras", "_files", "_frozen", "_sensitive", "_version", "_warnings"),
    ("errors",),
    ("_validation",),
    ("links", "money", "options", "models"),
    ("_validation.configuration", "_validation.payments"),
    ("_core",),
    ("_core.pipeline", "_core.transport", "_core.content_encoding", "_core.time_limit", "rate_limits"),
    ("webhooks",),
    ("endpoints",),
    ("resources",),
    ("client",),
    ("diagnostics", "exports", "opentelemetry"),
    ("sync",),
    ("sources", "testing", "webhooks.django.management"),
    ("cli",),
    ("_codegen",),
)  # fmt: skip
# Outside of the building: the lazy front door, the command's entry, and the emulator.
DOORS = {"", "__main__"}


@attrs.frozen
class Import:
    module: str
    target: str
    only_types: bool
    line: int


def imports_of(module: str) -> Iterator[Import]:
    """Yield every import of a module with the full name of what it imports, wherever it stands."""
    typing_only = {
        id(inner)
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield Import(module, name, id(node) in typing_only, node.lineno)


def ours(found: Import) -> str | None:
    """Return the module of this package that an import reaches, or None; `models.Page` is in `models`."""
    parts = found.target.split(".")
    if parts[0] != "truemed_async":
        return None
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[1:length])
        if name in MODULES:
            return name
    raise AssertionError(f"{found}: no such module")


def floor_of(module: str) -> int | None:
    """Return the number of a module's floor; the longest name that covers it counts."""
    best = max(
        ((name, number) for number, names in enumerate(FLOORS) for name in names if module == name or module.startswith(f"{name}.")),
        key=lambda pair: len(pair[0]),
        default=None,
    )  # fmt: skip
    return None if best is None else best[1]


@cache
def every_import() -> list[Import]:
    return [found for module in MODULES for found in imports_of(module)]


@cache
def internal_imports() -> list[tuple[Import, str]]:
    """Return the imports of the package's own modules, each with the module that it reaches."""
    return [(found, target) for found in every_import() if (target := ours(found)) is not None]


def test_every_module_has_its_floor():
    unknown = [
        name for name in MODULES if floor_of(name) is None and name not in DOORS and not inside(name, "emulator")
    ]
    assert not unknown, f"add to FLOORS: {unknown}"


def inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def test_imports_go_down_and_never_up():
    wrong = [
        f"{found.module}:{found.line} imports {target}"
        for found, target in internal_imports()
        if not found.only_types and found.module not in DOORS and not inside(found.module, "emulator")
        if target not in DOORS and not inside(target, "emulator")
        if (floor_of(target) or 0) > (floor_of(found.module) or 0)
    ]
    assert not wrong, "\n".join(wrong)


def test_sync_and_cli_are_not_imported():
    """Only what runs without an event loop uses the synchronous client: sources for data platforms, tests, and manage.py."""
    wrong = [
        f"{found.module}:{found.line} imports {target}"
        for found, target in internal_imports()
        for private in ("sync", "cli")
        if inside(target, private) and not inside(found.module, private)
        if not (found.module == "" and found.only_types) and not (found.module == "__main__" and private == "cli")
        if private != "sync"
        or not any(inside(found.module, each) for each in ("sources", "testing", "webhooks.django.management"))
    ]
    assert not wrong, "\n".join(wrong)


def test_only_the_command_line_and_fixtures_import_the_emulator():
    wrong = [
        f"{found.module}:{found.line} imports {target}"
        for found, target in internal_imports()
        if inside(target, "emulator") and not inside(found.module, "emulator") and not inside(found.module, "cli")
        if not (found.module in {"", "testing.pytest_plugin"} and found.only_types)
    ]
    assert not wrong, "\n".join(wrong)


def test_parts_of_the_emulator_import_each_other_without_a_circle():
    """A part is a module or package directly inside the emulator. Imports for types count, too."""
    imports: dict[str, set[str]] = {}
    for found, target in internal_imports():
        if inside(found.module, "emulator") and inside(target, "emulator"):
            part, other = ([*name.split("."), ""][1] for name in (found.module, target))
            # The package itself is the lazy front door, which imports every part and is imported by none.
            if part and other not in ("", part):
                imports.setdefault(part, set()).add(other)
    below = {part: set(others) for part, others in imports.items()}
    for _ in below:
        for reached in below.values():
            reached.update(*(below.get(part, set()) for part in tuple(reached)))
    circles = {part for part, reached in below.items() if part in reached}
    assert not circles, {part: sorted(imports[part] & circles) for part in sorted(circles)}


def test_emulator_and_sdk_share_no_code():
    wrong = [
        f"{found.module}:{found.line} imports {target}"
        for found, target in internal_imports()
        if inside(found.module, "emulator") and not inside(target, "emulator")
    ]
    assert not wrong, "\n".join(wrong)
    strings = [
        f"{name}: {node.value!r}"
        for name, tree in ((name, tree_of(name)) for name in MODULES)
        if inside(name, "emulator")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.startswith("truemed_async.") and not node.value.startswith("truemed_async.emulator")
    ]
    assert not strings, strings


def test_aiohttp_is_imported_in_one_file_and_by_servers():
    """The emulator and the endpoint for aiohttp applications serve with it.

    Bodies are decoded with its decoders. The clients import it for their annotations, which must resolve at run time. multidict and yarl import nothing of it.
    """
    wrong = [
        f"{found.module}:{found.line} imports {found.target}"
        for found in every_import()
        if found.target.split(".")[0] == "aiohttp" and not found.only_types
        if found.module
        not in ("_core.transport", "_core.content_encoding", "client", "sync._generated", "webhooks.aiohttp")
        if not inside(found.module, "emulator")
    ]
    assert not wrong, "\n".join(wrong)
    assert any(found.target.split(".")[0] == "aiohttp" for found in imports_of("_core.transport"))
    assert [found.target for found in imports_of("webhooks.aiohttp") if found.target.startswith("aiohttp")] == [
        "aiohttp.web"
    ]


def test_opentelemetry_is_imported_by_the_hooks_for_it_alone():
    importers = {found.module for found in every_import() if found.target.split(".")[0] == "opentelemetry"}
    assert importers == {"opentelemetry"}
    assert not [found for found, target in internal_imports() if inside(target, "opentelemetry")]


def test_pure_files_do_no_input_output():
    impure = {
        "aiohttp",
        "socket",
        "ssl",
        "threading",
        "subprocess",
        "time",
        "requests",
        "http.client",
        "urllib.request",
        "select",
    }
    wrong = [
        f"{found.module}:{found.line} imports {found.target}"
        for found in every_import()
        if (floor := floor_of(found.module)) is not None and floor <= (floor_of("_core") or 0)
        if any(found.target == name or found.target.startswith(f"{name}.") for name in impure)
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_have_no_cycle():
    edges = {
        name: {target for found, target in internal_imports() if found.module == name and not found.only_types}
        for name in MODULES
    }
    for name, targets in edges.items():  # a package is there before what is inside it
        edges[name] = {target for target in targets if target != name and not inside(name, target)}
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a circle: {' → '.join([*path[path.index(name) :], name])}"
        if name not in done:
            for target in sorted(edges[name]):
                walk(target, (*path, name))
            done.add(name)

    for name in MODULES:
        walk(name, ())
    assert done == set(MODULES)


# --- what an import costs -----------------------------------------------------------------------------------------


def loaded_by(statement: str) -> set[str]:
    program = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import truemed_async",
        "import truemed_async.models",
        "import truemed_async.errors",
        "import truemed_async.options",
        "import truemed_async.endpoints",
        "import truemed_async.webhooks",
        "from truemed_async import QualificationSession, Timeouts, RetryPolicy, UNSET, Endpoint, Outcome, errors",
    ],
)
def test_modules_without_network_do_not_import_aiohttp(statement):
    loaded = loaded_by(statement)
    assert "truemed_async" in loaded
    assert not {
        name for name in loaded if name.split(".")[0] in ("aiohttp", "asyncio.selector_events", "rich", "cyclopts")
    }


def test_client_imports_it():
    """The test above would also pass if nothing were loaded at all."""
    assert "aiohttp" in loaded_by("from truemed_async import AsyncTruemed")


def test_package_itself_loads_none_of_its_parts():
    assert {name for name in loaded_by("import truemed_async") if name.startswith("truemed_async.")} == {
        "truemed_async._version"
    }


# --- what no file does --------------------------------------------------------------------------------------------

MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MAKERS = {
    "list",
    "dict",
    "set",
    "bytearray",
    "deque",
    "defaultdict",
    "OrderedDict",
    "Counter",
    "WeakSet",
    "WeakValueDictionary",
}
READ_ONLY = ("Mapping[", "Sequence[", "Collection[", "Set[", "tuple[", "frozenset[")


def is_mutable(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        return name in MAKERS
    return isinstance(value, MUTABLE)


def test_no_module_keeps_a_container_that_can_change():
    """A table that is typed as read-only is held to that by the type checkers."""
    wrong = []
    for module in MODULES:
        tree = tree_of(module)
        scopes = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
        for statement in (each for scope in scopes for each in scope.body):
            if isinstance(statement, ast.Assign) and is_mutable(statement.value):
                names = ", ".join(ast.unparse(target) for target in statement.targets)
                wrong += [] if names in ("__all__", "__slots__") else [f"{module}: {names}"]
            elif isinstance(statement, ast.AnnAssign) and is_mutable(statement.value):
                read_only = ast.unparse(statement.annotation).startswith(READ_ONLY)
                wrong += [] if read_only else [f"{module}: {ast.unparse(statement.target)}"]
    assert not wrong, f"annotate as Mapping, Sequence or Set, or make it a tuple or frozenset: {wrong}"


def raises_again(handler: ast.ExceptHandler) -> bool:
    """Whether a handler ends by raising what it caught."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and (last.exc is None or ast.unparse(last.exc) == handler.name)


def test_no_handler_swallows_a_cancellation():
    wrong = []
    for module, node in ((name, node) for name in MODULES for node in ast.walk(tree_of(name))):
        if isinstance(node, ast.ExceptHandler):
            caught = "" if node.type is None else ast.unparse(node.type)
            broad = node.type is None or "BaseException" in caught or "CancelledError" in caught
            if broad and not raises_again(node):
                wrong.append(f"{module}:{node.lineno} except {caught}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            text = ast.unparse(node)
            if "BaseException" in text or "CancelledError" in text:
                wrong.append(f"{module}:{node.lineno} {text}")
    assert not wrong, "\n".join(wrong)


def test_no_finaliser_does_input_output():
    """The one that there is only keeps aiohttp's own from running in a forked child."""
    found = {
        f"{module}.{kind.name}": node
        for module, tree in ((name, tree_of(name)) for name in MODULES)
        for kind in ast.walk(tree)
        if isinstance(kind, ast.ClassDef)
        for node in kind.body
        if isinstance(node, ast.FunctionDef) and node.name == "__del__"
    }
    assert set(found) == {"_core.transport._Connector"}
    (finaliser,) = found.values()
    assert [type(statement) for statement in finaliser.body] == [ast.If]
    calls = {ast.unparse(node.func) for node in ast.walk(finaliser) if isinstance(node, ast.Call)}
    assert calls == {"os.getpid", "super", "super().__del__"}


def test_no_file_prints():
    assert not [
        f"{module}:{node.lineno}"
        for module in MODULES
        if not inside(module, "cli") and not inside(module, "_codegen") and module != "__main__"
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]


def test_every_file_is_found():
    """Every rule above would hold for a package without files."""
    assert {"", "client", "_core.transport", "models._compile", "sync._generated", "emulator.routing", "cli"} <= set(
        MODULES
    )
    assert len(internal_imports()) > 100
