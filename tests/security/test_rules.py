"""Rules that the source itself keeps, read from its syntax trees; each rule is shown to catch what it is for."""

import ast
import re
from functools import cache

import pytest

from tests.support.sources import syntax_tree, syntax_trees

SECRET = re.compile(
    r"(?<!idempotency_)\b_?(api_?key|secret|digest|signature|hmac|mac|password)s?\b(?!_header)", re.IGNORECASE
)


def names_in(node):
    """The names and attributes of an expression, those inside calls and subscripts too."""
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.Attribute):
            yield each.attr


def is_secret(node):
    return any(SECRET.fullmatch(name) for name in names_in(node))


def comparisons(tree):
    """`==` takes longer the more of a secret is right; `hmac.compare_digest` does not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(operator, (ast.Eq, ast.NotEq)) for operator in node.ops):
            for side in (node.left, *node.comparators):
                if is_secret(side) and not (
                    isinstance(side, ast.Call) and getattr(side.func, "id", "") in ("len", "type")
                ):
                    yield node


def formatting(tree):
    """A key that was formatted is plain text, which no mask covers any more."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and is_secret(node.value):
            yield node
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("format", "format_map", "print", "str", "repr", "join", "ascii"):
                yield from (node for each in (*node.args, *(word.value for word in node.keywords)) if is_secret(each))
        if (
            isinstance(node, ast.BinOp)
            and isinstance(node.op, (ast.Mod, ast.Add))
            and (is_secret(node.left) or is_secret(node.right))
        ):
            yield node


def logging_calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            if any(module.split(".")[0] in ("logging", "syslog", "traceback", "faulthandler") for module in modules):
                yield node
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and "logger" in list(names_in(node.func.value))
        ):
            yield node
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("print", "breakpoint"):
            yield node


SWITCHES = {
    "ssl": False, "verify": False, "verify_ssl": False, "check_hostname": False, "allow_redirects": True, "trust_env": True,
    "follow_redirects": True, "raise_for_status": True,
}  # fmt: skip


def switches(tree):
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.keyword)
            and node.arg in SWITCHES
            and getattr(node.value, "value", None) is SWITCHES[node.arg]
        ):
            yield node
        if isinstance(node, ast.Assign):
            for target in node.targets:
                name = getattr(target, "attr", getattr(target, "id", ""))
                if name in SWITCHES and getattr(node.value, "value", None) is SWITCHES[name]:
                    yield node
        if isinstance(node, ast.Attribute) and node.attr in (
            "CERT_NONE",
            "CERT_OPTIONAL",
            "_create_unverified_context",
        ):
            yield node


def dangerous(tree):
    """What runs what it reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            owner = getattr(getattr(node.func, "value", None), "id", "")
            if (name in ("eval", "exec", "__import__") and not owner) or (name, owner) in (
                ("system", "os"),
                ("popen", "os"),
            ):
                yield node
            if owner in ("pickle", "marshal", "shelve", "yaml", "subprocess"):
                yield node
            if any(word.arg == "shell" for word in node.keywords):
                yield node


def chained(tree):
    """An error raised inside an `except` holds the caught one, and aiohttp's hold the request with its headers.

    The caught one itself may go on, with its traceback or without.
    """
    for handler in (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)):
        for node in ast.walk(handler):
            if isinstance(node, ast.Raise) and node.exc is not None:
                if handler.name and ast.unparse(node.exc) == f"{handler.name}.with_traceback(None)":
                    continue
                yield node


RULES = {
    "comparison of a secret": (
        comparisons,
        "if api_key == other: pass\nif hmac.digest(a) != b: pass\nx = self._secret == y",
    ),
    "formatting of a secret": (
        formatting,
        'f"{api_key}"\nf"{self.api_key!r}"\n"{}".format(api_key)\n"%s" % api_key\n"k=" + client._api_key\nprint(secret)\nstr(api_key)',
    ),
    "logging": (
        logging_calls,
        'import logging\nfrom logging import getLogger\nlogger.info("x")\nself.logger.debug(1)\nprint(1)',
    ),
    "switching a check off": (
        switches,
        "f(ssl=False)\nf(verify=False)\nf(allow_redirects=True)\nf(trust_env=True)\nc.check_hostname = False\nssl.CERT_NONE",
    ),
    "running what was read": (
        dangerous,
        "eval(x)\nexec(x)\npickle.loads(x)\nos.system(x)\nsubprocess.run(x)\nrun(x, shell=True)",
    ),
}
# (rule, file): why it may, and how often.
ALLOWED = {
    ("formatting of a secret", "cli/emulator.py"): (
        3,
        "the made-up keys of the emulator, which are there to be copied",
    ),
    ("comparison of a secret", "emulator/webhooks/sender.py"): (1, "of the name of a header"),
    ("formatting of a secret", "emulator/webhooks/outbox.py"): (1, "a made-up secret of the emulator, when it is made"),
    ("comparison of a secret", "webhooks/_verify.py"): (2, "of the caller's own, as it is configured, with itself"),
    ("formatting of a secret", "webhooks/_verify.py"): (1, "its type, where it is no text"),
    ("formatting of a secret", "webhooks/_signature.py"): (1, "its type, where it is no text"),
    ("formatting of a secret", "cli/files.py"): (1, "the random part of a temporary file's name"),
    ("formatting of a secret", "testing/__init__.py"): (1, "the made-up id of a made-up delivery"),
    ("formatting of a secret", "exports/files.py"): (2, "the digests of rows, one after another"),
    ("comparison of a secret", "emulator/webhooks/model.py"): (2, "with itself: whether it has blanks around it"),
    ("comparison of a secret", "_core/idempotency.py"): (
        2,
        "of two bodies of the caller's own; only the caller could time it",
    ),
    ("logging", "_core/pipeline.py"): (1, "asks whether anything would be logged at all"),
    ("logging", "_core/transport.py"): (1, "empties the frames of a traceback; writes nothing"),
    ("logging", "_core/attempt_log.py"): (4, "the one place that logs: the import, the logger, and two lines"),
    ("logging", "webhooks/_stores.py"): (3, "a removed file: the import, the logger, and one line"),
    ("logging", "webhooks/_receiver.py"): (4, "the result of a delivery: the import, the logger, and two lines"),
    ("logging", "webhooks/_results.py"): (3, "a hook that raised: the import, the logger, and one line"),
    ("running what was read", "webhooks/redis.py"): (4, "scripts of that file, which the Redis server runs"),
    ("running what was read", "models/_compile.py"): (1, "code made from our own classes at import, never from data"),
    ("running what was read", "cli/completion.py"): (2, "`shell` names the one whose script is written; nothing runs"),
    ("running what was read", "_frozen.py"): (1, "code made from our own classes at import, never from data"),
}


@cache
def found(rule):
    search, _ = RULES[rule]
    counts = {file: len(list(search(tree))) for file, tree in syntax_trees().items()}
    return {file: count for file, count in counts.items() if count}


@pytest.mark.parametrize("rule", RULES)
def test_source_keeps_the_rule(rule):
    hits = found(rule)
    for file, count in hits.items():
        most, _ = ALLOWED.get((rule, file), (0, ""))
        if rule == "logging" and file.startswith(("cli/", "emulator/", "_codegen")):
            continue  # programs of their own, which write where their user asked them to
        lines = [getattr(node, "lineno", 0) for node in RULES[rule][0](syntax_tree(file))]
        assert count <= most, f"{file}: lines {lines}"


@pytest.mark.parametrize("rule", RULES)
def test_rule_detects_violations(rule):
    search, example = RULES[rule]
    lines = {node.value.lineno if isinstance(node, ast.keyword) else node.lineno for node in search(ast.parse(example))}
    assert lines == set(range(1, example.count("\n") + 2))


@pytest.mark.parametrize(("rule", "file"), ALLOWED)
def test_no_exception_outlives_its_reason(rule, file):
    assert file in syntax_trees()
    assert found(rule).get(file)


def test_transport_never_chains_an_error_of_the_http_library():
    assert not list(chained(syntax_tree("_core/transport.py")))
    assert list(chained(ast.parse("try:\n    f()\nexcept ValueError as error:\n    raise KeyError(error)")))


def test_http_librarys_client_is_used_in_one_file():
    """What it raises and prints holds the key; it cannot leave a file that it is not in."""
    at_runtime = set()
    for file, tree in syntax_trees().items():
        skipped = {
            id(each)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in names_in(node.test)
            for each in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)) and id(node) not in skipped:
                modules = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
                uses = any(module.split(".")[0] == "aiohttp" for module in modules)
                # The decoders of bodies have no request, and so no key.
                if uses and "aiohttp.compression_utils" not in modules and not file.startswith("emulator/"):
                    at_runtime.add(file)
    clients = {"client.py", "sync/_generated.py"}  # for an annotation, which must resolve at run time
    assert at_runtime == {"_core/transport.py", "webhooks/aiohttp.py", *clients}  # webhooks serve with `aiohttp.web`
    for file in clients:
        uses = [node for node in ast.walk(syntax_trees()[file]) if getattr(node, "id", None) == "aiohttp"]
        annotations = [ast.unparse(node) for node in ast.walk(syntax_trees()[file]) if isinstance(node, ast.arg)]
        assert len(uses) == sum(text.count("aiohttp.ClientSession") for text in annotations) == 1


def test_random_numbers_are_no_secrets():
    """`random` spreads pauses and seeds made-up data; unpredictable values come from `secrets` or `uuid`."""
    users = {
        file
        for file, tree in syntax_trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import) and any(alias.name == "random" for alias in node.names)
    }
    pauses = {"_core/pipeline.py", "rate_limits/__init__.py"}
    assert all(file in pauses or file.startswith("emulator/") for file in users)
