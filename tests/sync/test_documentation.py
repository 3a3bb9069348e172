"""What a user of the synchronous client reads: `help`, signatures and completions are as if written by hand."""

import inspect
import pydoc
import re
import sys

import jedi
import pytest

import truemed_async
from truemed_async import AsyncTruemed, SyncStream, Truemed, sync

KINDS = [getattr(sync, name) for name in sync.__all__]
RESOURCES = [kind for kind in KINDS if kind not in (Truemed, SyncStream)]
ASYNC_WORDS = re.compile(
    r"\bawait\w*|\basync\w*|\bcoroutines?\b|\bevent loops?\b|\btasks?\b|\baiohttp\b", re.IGNORECASE
)


def public(kind):
    """Return the methods and properties of a class; the resources of a client are attributes."""
    resources = getattr(kind, "__annotations__", ())
    return {
        name: getattr(value, "fget", value)
        for name, value in vars(kind).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, property))
        if name not in resources
    }


METHODS = [
    pytest.param(kind, name, function, id=f"{kind.__name__}.{name}")
    for kind in KINDS
    for name, function in public(kind).items()
]


def rendered(kind):
    return pydoc.render_doc(kind, renderer=pydoc.plaintext)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_class_is_found_where_it_says_that_it_is(kind):
    assert getattr(sys.modules[kind.__module__], kind.__qualname__) is kind
    assert re.match(rf"(@\w+\n)?class {kind.__name__}\b", inspect.getsource(kind))


@pytest.mark.parametrize(("kind", "name", "function"), METHODS)
def test_method_knows_its_name_module_and_source(kind, name, function):
    assert function.__name__ == name
    assert function.__qualname__ == f"{kind.__name__}.{name}"
    assert function.__module__ == kind.__module__
    assert f"def {name}(" in inspect.getsource(function)


def unspaced(text):
    """Python 3.13 breaks long signatures into lines."""
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize(("kind", "name", "function"), METHODS)
def test_help_shows_each_method_with_its_signature_and_documentation(kind, name, function):
    text = "\n".join(line.removeprefix(" |  ").strip() for line in rendered(kind).splitlines())
    if not isinstance(vars(kind)[name], property):
        assert unspaced(f"{name}{inspect.signature(function)}") in unspaced(text)
    for line in inspect.getdoc(function).splitlines():
        assert line.strip() in text


@pytest.mark.parametrize("kind", [Truemed, *RESOURCES], ids=lambda kind: kind.__name__)
def test_help_shows_nothing_private_and_nothing_inherited(kind):
    text = rendered(kind)
    assert text.splitlines()[2] == f"class {kind.__name__}(builtins.object)"
    assert "inherited from" not in text
    assert "Generic" not in text
    assert not re.findall(r"\b_[a-z]\w*", text.replace("sync._generated", ""))


def test_help_describes_each_resource():
    text = rendered(Truemed)
    for name, kind in Truemed.__annotations__.items():
        (below,) = re.findall(rf" \|  {name}\n \|      (.*)\n", text)
        assert below == inspect.getdoc(vars(Truemed)[name])
        assert below.split(".")[0] in inspect.getdoc(getattr(sync, kind))


@pytest.mark.parametrize(
    ("kind", "name", "function"), [*METHODS, *(pytest.param(k, "", k, id=k.__name__) for k in KINDS)]
)
def test_no_documentation_speaks_of_the_other_world(kind, name, function):
    text = inspect.getdoc(function).replace("truemed_async.", "")
    if function is Truemed:  # its docstring names the asynchronous client on purpose
        text = text.replace("for code without an event loop", "").replace(
            "Only for the async client: a session belongs to one event loop.", ""
        )
    assert not ASYNC_WORDS.search(text)


def completions(code):
    return [each.name for each in jedi.Script(code).complete() if not each.name.startswith("_")]


def test_editor_completes_the_client_and_its_resources():
    begin = "from truemed_async.sync import Truemed\nclient = Truemed()\n"
    assert set(completions(begin + "client.")) == {*public(Truemed), *Truemed.__annotations__}
    assert set(completions(begin + "client.qualification_sessions.")) == set(public(sync.QualificationSessions))
    (found,) = jedi.Script(begin + "client.qualification_sessions.get(").get_signatures()
    assert [each.name for each in found.params] == ["qualification_session_id", "options"]
    assert "Return one qualification session." in found.docstring()


def test_public_name_is_the_same_class():
    assert truemed_async.Truemed is sync.Truemed is Truemed
    assert inspect.signature(Truemed) == inspect.signature(AsyncTruemed)
