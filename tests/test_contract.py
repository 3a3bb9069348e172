"""What belongs to an endpoint belongs together; the two clients are one; the generated file is what is generated."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import truemed_async
from tests.support.paths import FIXTURES, ROOT
from tests.support.recording_server import KEY
from truemed_async import AsyncTruemed, Truemed, _codegen, endpoints, models, resources, sync
from truemed_async._codegen import CodegenError, Writer
from truemed_async._core.endpoint import Endpoint
from truemed_async.emulator import ROUTES
from truemed_async.endpoints import ENDPOINTS
from truemed_async.resources._property import ResourceProperty

PACKAGE = Path(truemed_async.__file__).parent

OVERVIEW = (ROOT / "docs" / "truemed-api.md").read_text(encoding="utf-8")
VALUES = {name: value for name, value in vars(endpoints).items() if isinstance(value, Endpoint)}
BY_NAME = pytest.mark.parametrize("endpoint", VALUES.values(), ids=lambda endpoint: endpoint.name)


# --- an endpoint and what belongs to it ---------------------------------------------------------------------------


def test_every_endpoint_is_in_the_table():
    missing = [name for name, value in VALUES.items() if value not in ENDPOINTS]
    assert not missing, f"add to ENDPOINTS in endpoints.py: {missing}"
    assert len(ENDPOINTS) == len(set(ENDPOINTS)) == len(VALUES)


@BY_NAME
def test_every_endpoint_returns_a_public_model(endpoint):
    kinds = [kind for kind in (endpoint.result, *typing.get_args(endpoint.result)) if kind is not type(None)]
    for kind in (typing.get_origin(kind) or kind for kind in kinds):
        assert kind.__name__ in models.__all__, f"add {kind.__name__} to __all__ of {kind.__module__}"
        assert getattr(truemed_async, kind.__name__) is kind


@BY_NAME
def test_every_endpoint_is_in_the_overview_of_the_api(endpoint):
    path = re.sub(r"\{\w+\}", r"\\{\\w+\\}", endpoint.path)
    assert re.search(rf"`{endpoint.method} {path}`", OVERVIEW), (
        f"add {endpoint.name} to the table in section 2 of docs/truemed-api.md"
    )


def test_no_two_endpoints_share_a_name_or_a_route():
    assert len({endpoint.name for endpoint in ENDPOINTS}) == len(ENDPOINTS)
    assert len({(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}) == len(ENDPOINTS)


@pytest.mark.parametrize(("variable", "endpoint"), VALUES.items())
def test_endpoint_constant_is_named_after_its_method(variable, endpoint):
    """``qualification_sessions.get`` is ``GET_QUALIFICATION_SESSION``, and plural only for lists.

    A method whose name has a noun of its own, such as ``list_payouts``, names the constant alone: ``LIST_PAYOUTS``.
    """
    resource, method = endpoint.name.split(".")
    if "_" in method:
        expected = method.upper()
    else:
        expected = f"{method}_{resource if method == 'list' else resource.removesuffix('s')}".upper()
    assert variable == expected, f"rename {variable} to {expected} in endpoints.py"


def uses_of(variable: str) -> list[str]:
    """Return the resource methods whose source names an endpoint, private functions left out."""
    found = []
    for resource, kind in resource_classes(resources).items():
        for name, method in public_methods(kind):
            if re.search(rf"\b{variable}\b", inspect.getsource(method)):
                found.append(f"{resource}.{name}")
    return found


def resource_classes(module: Any) -> dict[str, type]:
    """Return the resource classes by the client's attribute: QualificationSessions is `qualification_sessions`."""
    kinds = [getattr(module, name) for name in resources.__all__]
    return {re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): kind for kind in kinds}


def method_of(endpoint: Endpoint[Any]) -> Callable[..., Any]:
    resource, name = endpoint.name.split(".")
    kind = resource_classes(resources)[resource]
    assert name in vars(kind), f"add `async def {name}` to {kind.__name__} in resources/{resource}.py"
    return vars(kind)[name]  # type: ignore[no-any-return]


def public_methods(kind: type) -> list[tuple[str, Callable[..., Any]]]:
    return [(name, value) for name, value in vars(kind).items() if callable(value) and not name.startswith("_")]


def attributes(kind: type) -> dict[str, Any]:
    """Return what a class defines itself or inherits from a base of this package."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("truemed_async."):
            found |= vars(base)
    return found


@pytest.mark.parametrize(("variable", "endpoint"), VALUES.items())
def test_every_endpoint_has_one_method_of_its_name(variable, endpoint):
    resource = endpoint.name.split(".")[0]
    kind = resource_classes(resources).get(resource)
    assert kind is not None, f"no resource class for {endpoint.name}: add one to resources/"
    assert inspect.iscoroutinefunction(method_of(endpoint)), f"{endpoint.name} is no coroutine"
    assert isinstance(getattr(AsyncTruemed(KEY), resource, None), kind), f"the client has no attribute {resource!r}"
    assert endpoint.name in uses_of(variable), f"{endpoint.name} does not call {variable}"


@BY_NAME
def test_every_endpoint_has_a_synchronous_twin(endpoint):
    resource, method = endpoint.name.split(".")
    twin = getattr(getattr(Truemed(KEY), resource, None), method, None)
    assert twin is not None, f"no synchronous {endpoint.name}: run python -m truemed_async._codegen"
    assert not inspect.iscoroutinefunction(twin)


@BY_NAME
def test_every_endpoint_has_an_emulator_route(endpoint):
    found = [route for route in ROUTES if route.name == endpoint.name]
    assert len(found) == 1, f"add one route {endpoint.name!r} to emulator/resources/{endpoint.name.split('.')[0]}.py"
    (route,) = found
    assert (route.method, route.path) == (endpoint.method, endpoint.path), f"the emulator has another {endpoint.name}"
    assert route.handler is not None, f"the emulator answers {endpoint.name} with 501"


@BY_NAME
def test_every_endpoint_has_samples_of_its_page(endpoint):
    path = FIXTURES / f"{endpoint.name}.json"
    assert path.exists(), f"no {path.name} in tests/fixtures: write down samples from Truemed's page"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["endpoint"] == endpoint.name
    good = [sample for sample in content["samples"] if 200 <= sample["response"]["status"] < 300]
    assert good, f"{path.name} holds no successful answer"
    assert len(good) < len(content["samples"]), f"{path.name} holds no error"
    template = re.sub(r"\{\w+\}", "[A-Za-z0-9_-]+", endpoint.path)
    for sample in content["samples"]:
        assert sample["page"].startswith("Truemed "), f"a sample of {path.name} does not name its page"
        assert sample["about"]
        assert set(sample["request"]) == {"method", "path", "query", "body"}
        assert set(sample["response"]) == {"status", "body"}
        assert sample["request"]["method"] == endpoint.method
        assert re.fullmatch(template, sample["request"]["path"])


def test_there_are_no_samples_of_endpoints_that_do_not_exist():
    unknown = {path.stem for path in FIXTURES.glob("*.json")} - {endpoint.name for endpoint in ENDPOINTS}
    assert not unknown, f"remove from tests/fixtures, or add to endpoints.py: {unknown}"


@BY_NAME
def test_method_of_an_endpoint_names_its_source_and_errors(endpoint):
    text = inspect.getdoc(method_of(endpoint)) or ""
    for section in ("Raises:", "Source: Truemed", "Shared arguments and errors: :doc:`/common`."):
        assert section in text, f"the docstring of {endpoint.name} has no {section!r}"


@BY_NAME
def test_every_placeholder_of_a_path_is_a_parameter_of_the_method(endpoint):
    missing = set(re.findall(r"\{(\w+)\}", endpoint.path)) - set(inspect.signature(method_of(endpoint)).parameters)
    assert not missing, f"add to the parameters of {endpoint.name}: {missing}"


# --- the two clients are one --------------------------------------------------------------------------------------

TWINS: dict[str, tuple[type, type]] = {
    "client": (AsyncTruemed, Truemed),
    **{name: (kind, getattr(sync, kind.__name__)) for name, kind in resource_classes(resources).items()},
}
RENAMED = {"aclose": "close", "__aenter__": "__enter__", "__aexit__": "__exit__"}
ASYNC_ONLY = {"clock"}
SPECIAL = ("__init__", "__aenter__", "__aexit__", "__repr__", "__reduce__")


def members(kind: type) -> Iterator[str]:
    for name, value in attributes(kind).items():
        special = name in SPECIAL and name in vars(kind)
        if isinstance(value, ResourceProperty):
            continue
        if (callable(value) or isinstance(value, property)) and (not name.startswith("_") or special):
            yield name


PAIRS = [
    pytest.param(theirs, name, ours, RENAMED.get(name, name), id=f"{where}.{name}")
    for where, (theirs, ours) in TWINS.items()
    for name in members(theirs)
    if name not in ASYNC_ONLY
]


def plain(member: Any) -> Callable[..., Any]:
    return member.fget if isinstance(member, property) else member


def translated(annotation: Any, kind: type) -> Any:
    """Return an annotation of the async class ``kind`` as it reads in the synchronous one."""
    for base in getattr(kind, "__orig_bases__", ()):
        annotation = re.sub(r"\bT\b", typing.get_args(base)[0].__name__, str(annotation))
    text = re.sub(r"Iterable\[(\w+)\] \| AsyncIterable\[\1\]", r"Iterable[\1]", str(annotation))
    text = text.replace("truemed_async.webhooks.AsyncReceiver | ", "")  # which needs an event loop
    return re.sub(r"\bStream\[", "SyncStream[", text)


@pytest.mark.parametrize(("theirs", "name", "ours", "renamed"), PAIRS)
def test_method_reads_the_same_in_both_worlds(theirs, name, ours, renamed):
    assert renamed in vars(ours), f"{ours.__name__} has no {renamed}: run python -m truemed_async._codegen"
    one, two = (inspect.signature(plain(attributes(kind)[each])) for kind, each in ((theirs, name), (ours, renamed)))
    assert list(one.parameters) == list(two.parameters)
    for left, right in zip(one.parameters.values(), two.parameters.values(), strict=True):
        assert (left.kind, left.default) == (right.kind, right.default)
        assert translated(left.annotation, theirs) == str(right.annotation)
    assert translated(one.return_annotation, theirs) == str(two.return_annotation)
    assert isinstance(attributes(theirs)[name], property) == isinstance(vars(ours)[renamed], property)
    assert not inspect.iscoroutinefunction(vars(ours)[renamed])


@pytest.mark.parametrize(("theirs", "name", "ours", "renamed"), [pair for pair in PAIRS if "__" not in pair.values[1]])
def test_method_is_documented_in_both_worlds(theirs, name, ours, renamed):
    assert renamed in vars(ours), f"{ours.__name__} has no {renamed}: run python -m truemed_async._codegen"
    one, two = (inspect.getdoc(attributes(kind)[each]) for kind, each in ((theirs, name), (ours, renamed)))
    assert one, f"{theirs.__name__}.{name} has no docstring"
    assert two, f"{ours.__name__}.{renamed} has no docstring"
    assert one.split("Args:")[0].split(";")[0] == two.split("Args:")[0].split(";")[0] or name == "aclose"
    assert not re.search(r"\bawait\b|\basync\b|AsyncTruemed", two)


@pytest.mark.parametrize(("theirs", "ours"), TWINS.values(), ids=TWINS)
def test_sync_client_has_no_extra_methods(theirs, ours):
    expected = {RENAMED.get(name, name) for name in members(theirs) if name not in ASYNC_ONLY}
    names = {name for name, value in vars(ours).items() if callable(value) or isinstance(value, property)}
    names -= set(inspect.get_annotations(ours))  # the resources, which the next test compares
    assert {name for name in names if not name.startswith("_") or name in RENAMED.values()} <= expected


def test_clients_have_the_same_resources():
    assert {name for name in resource_classes(resources) if hasattr(AsyncTruemed(KEY), name)} == set(
        resource_classes(sync)
    )
    for name in resource_classes(resources):
        assert isinstance(getattr(Truemed(KEY), name), getattr(sync, resource_classes(resources)[name].__name__))


# --- the generated file -------------------------------------------------------------------------------------------


def test_committed_facade_matches_the_generator(capsys):
    is_current = _codegen.TARGET.read_bytes() == Writer().source().encode()
    assert is_current, "run python -m truemed_async._codegen"
    assert _codegen.main(["--check"]) == 0
    assert capsys.readouterr() == ("", "")


def test_check_fails_with_a_hint_if_the_file_differs(tmp_path, monkeypatch, capsys):
    target = tmp_path / "_generated.py"
    monkeypatch.setattr(_codegen, "TARGET", target)
    target.write_text("# by hand\n", encoding="utf-8")
    assert _codegen.main(["--check"]) == 1
    assert "python -m truemed_async._codegen" in capsys.readouterr().err
    assert target.read_text(encoding="utf-8") == "# by hand\n"
    assert _codegen.main([]) == 0
    assert target.read_text(encoding="utf-8") == Writer().source()
    assert _codegen.main(["--check"]) == 0


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., Writer]:
    """Return a function that replaces one text in some files of a copy of the package, and gives a writer for it."""
    (tmp_path / "resources").mkdir()
    for path in (PACKAGE / "client.py", *sorted((PACKAGE / "resources").glob("*.py"))):
        shutil.copy(path, tmp_path / path.relative_to(PACKAGE))

    def changed(file: str, old: str, new: str) -> Writer:
        texts = {path: path.read_text(encoding="utf-8") for path in tmp_path.glob(file)}
        assert any(old in text for text in texts.values()), f"{file} has no {old!r}"
        for path, text in texts.items():
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return Writer(tmp_path)

    return changed


SESSIONS = "resources/qualification_sessions.py"
METHOD = """    async def get(
        self, qualification_session_id: str,"""
NEW = '    {signature}\n        """Do it."""\n        raise ValueError\n\n'


def test_copy_of_the_package_gives_the_same_file(package):
    assert package("client.py", "import ssl", "import ssl").source() == Writer().source()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (SESSIONS, METHOD, NEW.format(signature="def plain(self) -> int:") + METHOD, "plain is neither a coroutine"),
        (
            SESSIONS, METHOD, NEW.format(signature="@staticmethod\n    def fixed() -> int:") + METHOD,
            "fixed is neither a coroutine",
        ),
        (SESSIONS, METHOD, NEW.format(signature="async def f(self, *ids: str) -> int:") + METHOD, r"f has \*args"),
        (SESSIONS, METHOD, NEW.format(signature="async def f(self, **ids: str) -> int:") + METHOD, r"f has \*args"),
        (SESSIONS, METHOD, NEW.format(signature="async def f(self, id: str, /) -> int:") + METHOD, r"f has \*args"),
        (SESSIONS, METHOD, NEW.format(signature="async def f(self, id) -> int:") + METHOD, "id has no annotation"),
        (SESSIONS, METHOD, NEW.format(signature="async def f(self, id: str):") + METHOD, "f has no return annotation"),
        (
            SESSIONS, METHOD,
            NEW.format(signature="async def f(self, ids: AsyncIterable[str]) -> int:") + METHOD, "f takes iterables",
        ),
        (
            SESSIONS, METHOD,
            NEW.format(signature="def f(self, a: AsyncIterable[str], b: AsyncIterable[str], *, concurrency: int) -> Stream[int]:") + METHOD,
            "f takes iterables",
        ),
        (SESSIONS, METHOD, "    async def f(self) -> int:\n        raise ValueError\n\n" + METHOD, "f has no docstring"),
        (SESSIONS, '    """Whether shoppers', '    _x = """Whether shoppers', "QualificationSessions has no docstring"),
        (SESSIONS, "Return one qualification session.", "Use await here.", "says 'await' and no rule rewords it"),
        (SESSIONS, "Return one qualification session.", "Needs an event loop.", "says 'event loop' and no rule"),
        (SESSIONS, "Return one qualification session.", "A coroutine.", "says 'coroutine' and no rule"),
        (SESSIONS, "Return one qualification session.", "Use asyncio here.", "says 'asyncio' and no rule"),
        (SESSIONS, "Return one qualification session.", "Give AsyncTruemed.", "says 'AsyncTruemed' and no rule"),
        (SESSIONS, "Return one qualification session.", "Safe in any task.", "says 'task' and no rule"),
        ("client.py", "client of the Truemed merchant API.", "client.", "says .asynchronous. and no rule"),
        (
            "client.py", '    """Whether customers have', '    _x = """Whether customers have',
            "qualification_sessions is not documented",
        ),
        (SESSIONS, "class QualificationSessions(", "class Renamed(", "attributes and the resource classes differ"),
        ("client.py", "An aiohttp session to use. This", "A session to use. This", "rules that apply to nothing: .*An aiohttp"),
        ("client.py", "async def aclose", "async def shut", "rules that apply to nothing: .*aclose"),
        ("client.py", "def clock", "def time", "rules that apply to nothing: .*clock"),
        ("client.py", "def with_options", "def options", "neither a coroutine|rules that apply to nothing"),
        ("resources/*.py", "Iterable[str] | AsyncIterable[str]", "Iterable[str]", "rules that apply to nothing: .*AsyncIterable"),
    ],
)  # fmt: skip
def test_code_that_the_generator_does_not_support_raises(package, file, old, new, message):
    with pytest.raises(CodegenError, match=message):
        package(file, old, new).source()


def test_new_method_is_copied_with_its_signature_default_and_docstring(package):
    new = NEW.format(signature='async def f(self, a: int = 1, *, day: date | None = None, b: str = "x") -> None:')
    source = package(SESSIONS, METHOD, new + METHOD).source()
    assert (
        '    def f(self, a: int = 1, *, day: date | None = None, b: str = "x") -> None:\n'
        '        """Do it."""\n'
        "        runner.run(self._async.f, a, day=day, b=b)\n"
    ) in source
    assert "_private" not in source
    compile(source, "generated", "exec")


def test_private_methods_stay_private(package):
    new = NEW.format(signature="async def _private(self, *anything) -> int:")
    assert package(SESSIONS, METHOD, new + METHOD).source() == Writer().source()
