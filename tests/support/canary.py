"""One key, one e-mail address and one name, what a hostile server does with them, and where they must not show up."""

import base64
import copy
import gc
import io
import json
import logging
import pickle
import pprint
import traceback
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote, unquote

import attrs
from _pytest._io.saferepr import saferepr
from hypothesis.vendor import pretty as hypothesis_pretty
from rich.console import Console
from rich.pretty import pretty_repr
from rich.traceback import Traceback

import truemed_async
from tests.support.fault_matrix import BODY, HEAD, send_json, send_raw
from tests.support.paths import ROOT
from tests.support.recording_server import KEY
from truemed_async._sensitive import Sensitive
from truemed_async.errors import CallError

TESTS = ROOT / "tests"
PACKAGE = Path(truemed_async.__file__).parent

# What the server knows. It must be in no frame at all.
EMAIL = "canary.person@example.com"
NAME = "Quimby Canaryson"
# What the caller passes. It is in the caller's frames and in the one of the method that was called, nowhere else.
USER_ID = "caller.parrot@example.net"
USER_NAME = "Ottoline Callerson"


def _encodings(text):
    """The ways in which a text may hide, without what stands around it."""
    for shift in range(3):
        yield base64.b64encode(b"\0" * shift + text.encode()).decode()[4:-4].lower()
    yield text.encode().hex()


OF_SERVER = ("canary-key", "canary.person", "canaryson", *_encodings(KEY), *_encodings(EMAIL))
OF_CALLER = ("caller.parrot", "callerson", *_encodings(USER_ID))


def leaks(text: str, needles: Iterable[str] = (*OF_SERVER, *OF_CALLER)) -> list[str]:
    """Return which of the canaries are in ``text``, percent-encoded or not, in any case."""
    searched = f"{text}\n{unquote(text)}".lower()
    return [needle for needle in needles if needle in searched]


async def error_of_call(client, call):
    """Return the error of one call. No local variable holds a canary, so that whole tracebacks can be searched."""
    try:
        await call(client)
    except CallError as error:
        return error
    return None


# ---- what a hostile or careless server sends


def send_response(status, body=b"", *headers, reason="X"):
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return send_raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body, close=False)


def error_body(code="ValidationError", **fields):
    """An error's body that quotes everything."""
    quoted = f"{NAME} <{EMAIL}> with the key {KEY}"
    return json.dumps({"error": code, "message": quoted, "details": [{EMAIL: NAME}, KEY], **fields}).encode()


SESSION = {
    "qualification_session_id": "qs_1",
    "status": "approved",
    "email": EMAIL,
    "user_name": NAME,
    "user_id": EMAIL,
    "a_new_field": {EMAIL: [NAME]},
}
WHOLE = json.dumps(SESSION).encode()
PAGE = json.dumps(
    {
        "qualification_sessions": [SESSION, {**SESSION, "qualification_session_id": "qs_2"}],
        "pagination": {"count": 2, "current_page": 1, "last_page": 1, "page_size": 100},
        EMAIL: NAME,
    }
).encode()


def changed_session(**fields):
    return send_json(json.dumps({**SESSION, **fields}).encode())


HOSTILE = {
    "200_wrong_date": changed_session(created_at=f"{EMAIL} {NAME}"),
    "200_wrong_type": changed_session(email={EMAIL: NAME}),
    "200_wrong_status": changed_session(status=[EMAIL, NAME]),
    "200_missing": send_json(json.dumps({EMAIL: NAME, "user_name": NAME}).encode()),
    "200_list": send_json(json.dumps([SESSION]).encode()),
    "200_cut": send_raw(HEAD + b"Content-Length: 900\r\n\r\n" + WHOLE),
    "200_cut_cleanly": send_json(WHOLE[:-10]),
    "200_malformed": send_json(WHOLE[:-1] + b",}"),
    "200_text": send_json(f"{NAME} {EMAIL} {KEY}".encode()),
    "200_html": send_json(f"<p>{NAME} {EMAIL} {KEY}</p>".encode(), b"text/html"),
    "200_latin1": send_json(f'{{"user_name": "{NAME} \xe9"}}'.encode("latin-1")),
    "200_broken_gzip": send_raw(
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(EMAIL) + EMAIL.encode()
    ),
    "200_unknown_encoding": send_raw(
        HEAD + f"Content-Encoding: {EMAIL}\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY[:-1] + b"x"
    ),
    "400_told": send_response(400, error_body()),
    "400_server_error": send_response(400, error_body("ServerError")),
    "400_idempotency": send_response(400, error_body(message=f"idempotency key reused by {EMAIL}, {NAME}, {KEY}")),
    "401_told": send_response(401, error_body("Unauthorized"), f'WWW-Authenticate: Key realm="{KEY} {EMAIL} {NAME}"'),
    "403_told": send_response(403, error_body("Forbidden")),
    "404_told": send_response(404, error_body("NotFound")),
    "409_told": send_response(409, error_body("user_id_already_set", user_id=EMAIL)),
    "422_told": send_response(422, error_body("Declined", redirect_url=f"https://app.example/{EMAIL}?name={quote(NAME)}&k={KEY}")),
    "429_told": send_response(429, error_body("TooMany"), "Retry-After: 100"),
    "500_told": send_response(500, error_body("ServerError")),
    "500_text": send_response(500, f"{NAME} {EMAIL} {KEY}".encode()),
    "400_list": send_response(400, json.dumps([EMAIL, NAME]).encode()),
    "400_text": send_response(400, json.dumps(f"{EMAIL} {NAME}").encode()),
    "400_code_is_email": send_response(400, error_body(EMAIL)),
    "400_code_is_name": send_response(400, error_body(NAME)),
    "400_code_is_key": send_response(400, error_body(KEY)),
    "400_code_is_object": send_response(400, error_body({EMAIL: NAME})),
    "404_request_id_is_email": send_response(404, error_body(), f"X-Request-Id: {EMAIL}"),
    "404_request_id_is_name": send_response(404, error_body(), f"Request-Id: {NAME}"),
    "404_request_id_is_both": send_response(404, error_body(), f"X-Request-Id: {'x' * 150} {NAME} {EMAIL}"),
    "404_reason": send_response(404, error_body(), reason=f"{NAME} {EMAIL} {KEY}"),
    "500_reason": send_response(500, error_body(), reason=f"{NAME} {EMAIL} {KEY}"),
    "429_retry_after": send_response(429, error_body(), f"Retry-After: {EMAIL} {NAME}", f"Date: {EMAIL}"),
    "404_should_retry": send_response(404, error_body(), f"X-Should-Retry: {EMAIL} {NAME}"),
    "404_cookies": send_response(
        404,
        error_body(),
        f"Set-Cookie: who={EMAIL}; Path=/",
        f'Set-Cookie: name="{NAME}"; Expires={EMAIL}',
        f"Set-Cookie: {EMAIL}={NAME}",
        f"Set-Cookie: {NAME}={EMAIL}",
    ),
    "302_location": send_response(302, error_body(), f"Location: https://{EMAIL}/{quote(NAME)}?key={KEY}"),
    "307_location": send_response(307, error_body(), f"Location: /{EMAIL}/{KEY}"),
    "301_location_malformed": send_response(301, error_body(), f"Location: https://[{EMAIL}"),
    "header_without_colon": send_raw(HEAD + f"{EMAIL} {NAME} {KEY}\r\n\r\n".encode()),
    "header_with_bad_name": send_raw(HEAD + f"{EMAIL} {NAME}: {KEY}\r\n\r\n".encode()),
    "header_too_long": send_raw(HEAD + f"X-Who: {EMAIL} {NAME} {KEY}".encode() + b"x" * 20_000 + b"\r\n\r\n"),
    "headers_cut": send_raw(HEAD + f"X-Who: {EMAIL} {NAME} {KEY}".encode()),
    "status_line_cut": send_raw(f"HTTP/1.1 200 {EMAIL} {NAME} {KEY}".encode()),
    "status_line_garbage": send_raw(f"{EMAIL} {NAME} {KEY}\r\n\r\n".encode()),
    "status_no_number": send_raw(f"HTTP/1.1 {EMAIL} {NAME}\r\n\r\n".encode()),
    "length_no_number": send_raw(HEAD + f"Content-Length: {EMAIL}\r\n\r\n".encode()),
    "chunk_no_number": send_raw(HEAD + f"Transfer-Encoding: chunked\r\n\r\n{EMAIL} {NAME}\r\n{KEY}\r\n".encode()),
    "chunk_extension": send_raw(
        HEAD + f'Transfer-Encoding: chunked\r\n\r\n5;who="{EMAIL}";name="{NAME}"\r\n{{"a":\r\n0\r\n\r\n'.encode()
    ),
    "informational": send_raw(
        f"HTTP/1.1 103 {NAME}\r\nLink: <{EMAIL}>\r\n\r\nHTTP/1.1 404 {NAME}\r\nContent-Length: 0\r\n\r\n".encode()
    ),
}  # fmt: skip


# ---- where it might show up


def chain(error: BaseException | None, seen=()) -> list[BaseException]:
    """The error with all causes, contexts and members of groups."""
    if error is None or any(each is error for each in seen):
        return []
    found = [error]
    for other in (error.__cause__, error.__context__, *getattr(error, "exceptions", ())):
        found += chain(other, (*seen, *found))
    return found


@attrs.frozen
class Frame:
    """One frame of a traceback as a crash reporter sees it."""

    filename: str
    line: int
    name: str
    locals: dict[str, str]


def frames(error: BaseException) -> list[Frame]:
    """Every frame of every error of the chain but the test's own, with the ``repr`` of its locals."""
    return [
        Frame(
            frame.f_code.co_filename,
            line,
            frame.f_code.co_name,
            {name: saferepr(value, maxsize=None) for name, value in frame.f_locals.items()},
        )
        for each in chain(error)
        for frame, line in traceback.walk_tb(each.__traceback__)
        if TESTS not in Path(frame.f_code.co_filename).parents
    ]


def is_called(frame: Frame) -> bool:
    """Whether it is the frame of the method that the caller called: it holds the caller's arguments."""
    place = Path(frame.filename)
    return place == PACKAGE / "sync/_generated.py" or (
        place.parent == PACKAGE / "resources" and place.name != "_base.py"
    )


def foreign_frames(error: BaseException) -> list[str]:
    """The frames of other packages: their locals hold headers, URLs and bodies."""
    return [frame.filename for frame in frames(error) if "site-packages" in frame.filename]


def describe_frame(frame: Frame) -> str:
    return f"{Path(frame.filename).name}:{frame.line} {frame.name}: {frame.locals}"


_NOT_WALKED = (
    types.ModuleType, type, types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.FrameType,
    types.TracebackType, types.CodeType, Sensitive,
)  # fmt: skip


def reachable(*roots: object) -> list[str]:
    """The ``repr`` of every object that hangs on ``roots``, boxes left shut, as a crash reporter would walk them."""
    seen: dict[int, object] = {}
    waiting = list(roots)
    while waiting and len(seen) < 20_000:
        each = waiting.pop()
        if id(each) not in seen:
            seen[id(each)] = each
            if not isinstance(each, _NOT_WALKED):
                waiting += gc.get_referents(each)
    return [repr(each) for each in seen.values() if not isinstance(each, (types.ModuleType, dict, list, tuple))]


ON_PURPOSE = ("message", "body", "redirect_url")  # for programs to read; errors.py says that they may be personal


def _attributes(error):
    return [repr(getattr(error, name)) for name in dir(error) if not name.startswith("__") and name not in ON_PURPOSE]


def _logged(error):
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    record = logging.LogRecord("app", logging.ERROR, "x.py", 1, "failed: %s %r", (error, error), None)
    handler.emit(record)
    return text.getvalue()


def _logged_with_traceback(error):
    plain = logging.Formatter().formatException((type(error), error, error.__traceback__))
    return plain + "".join(traceback.format_exception(error))


def _rich_traceback(error):
    text = io.StringIO()
    rich_traceback = Traceback.from_exception(
        type(error), error, error.__traceback__, show_locals=True, locals_max_string=None, max_frames=50
    )
    Console(file=text, width=200).print(rich_traceback)
    return text.getvalue()


def _pickled(error):
    return "".join(pickle.dumps(error, protocol).decode("latin-1") for protocol in range(pickle.HIGHEST_PROTOCOL + 1))


def _unpickled(error):
    back = pickle.loads(pickle.dumps(error))
    return (
        f"{back} {back!r} {vars(back)} {_attributes(back)} {getattr(back, 'message', None)} {getattr(back, 'body', 0)}"
    )


def _grouped(error):
    group = BaseExceptionGroup("several", [error])
    return f"{group} {group!r} {group.exceptions}" + "".join(traceback.format_exception(group))


ERROR_SURFACES: dict[str, Callable[[BaseException], object]] = {
    "str": str,
    "repr": repr,
    "format": lambda error: f"{error:}",
    "ascii": ascii,
    "args": lambda error: error.args,
    "vars": vars,
    "attributes": _attributes,
    "notes": lambda error: getattr(error, "__notes__", ()),
    "causes and contexts": lambda error: [(str(each), repr(each), each.args) for each in chain(error)],
    "traceback": lambda error: "".join(traceback.format_exception(error)),
    "log line": _logged,
    "log line with traceback": _logged_with_traceback,
    "structured log": lambda error: json.dumps(vars(error), default=repr),
    "pickle": _pickled,
    "unpickled": _unpickled,
    "copy": lambda error: (str(copy.copy(error)), vars(copy.copy(error))),
    "deepcopy": lambda error: (str(copy.deepcopy(error)), vars(copy.deepcopy(error))),
    "exception group": _grouped,
    "objects that hang on it": lambda error: reachable(error.args, vars(error), error.__cause__, error.__context__),
    "raised from": lambda error: _raised_from(error),
    "pprint": lambda error: pprint.pformat((error, vars(error))),
    "rich": lambda error: pretty_repr((error, vars(error))),
    "pytest's repr": lambda error: saferepr(error, maxsize=None),
    "hypothesis' repr": lambda error: hypothesis_pretty.pretty((error, vars(error))),
}  # fmt: skip
# The caller's arguments are at home in the frames of the caller and of the method that was called.
FRAME_SURFACES: dict[str, Callable[[BaseException], object]] = {
    "locals of every frame": lambda error: [describe_frame(each) for each in frames(error)],
    "rich traceback with locals": _rich_traceback,
}


def below_the_method(error):
    """The frames that the caller's arguments need not be in."""
    return [describe_frame(each) for each in frames(error) if not is_called(each)]


def _raised_from(error):
    try:
        raise LookupError("theirs") from error
    except LookupError as outer:
        return "".join(traceback.format_exception(outer))


def _frame_with(value):
    """A traceback of code of the caller that holds ``value`` in a local."""
    try:
        raise LookupError(value)
    except LookupError as error:
        summary = traceback.TracebackException.from_exception(error, capture_locals=True)
        return "".join(summary.format())


VALUE_SURFACES: dict[str, Callable[[object], object]] = {
    "repr": repr,
    "str": str,
    "format": lambda value: f"{value} {value!r} {value!a}",
    "in a container": lambda value: repr({"it": [value, (value,)]}),
    "percent": lambda value: "%s %r" % (value, value),  # noqa: UP031  # as logging does
    "copy": lambda value: repr(copy.copy(value)),
    "pprint": pprint.pformat,
    "rich": pretty_repr,
    "pytest's repr": lambda value: saferepr(value, maxsize=None),
    "local of a traceback": _frame_with,
    "argument of an error": lambda value: (str(ValueError(value)), repr(KeyError(value))),
    "format string": lambda value: f"{value!s:.400}",
    "attrs fields that are shown": lambda value: [
        getattr(value, field.name)
        for field in (attrs.fields(type(value)) if attrs.has(type(value)) else ())
        if field.repr is True and not isinstance(getattr(value, field.name), truemed_async.Model)
    ],
}  # fmt: skip


def found_in(surfaces, subject, needles=(*OF_SERVER, *OF_CALLER)) -> list[tuple[str, list[str]]]:
    """Return the surfaces that show a canary, and which."""
    return [(name, hits) for name, show in surfaces.items() if (hits := leaks(str(show(subject)), needles))]


def found_in_error(error: BaseException) -> list[tuple[str, list[str]]]:
    """Return every surface of an error on which a canary is, and every frame that is not ours."""
    hits = found_in(ERROR_SURFACES, error)
    hits += found_in({"locals of every frame": FRAME_SURFACES["locals of every frame"]}, error, OF_SERVER)
    strangers = foreign_frames(error)
    return [*hits, ("frames of other packages", strangers)] if strangers else hits


# Surfaces on which a process shows objects.
PROCESS_SURFACES = (
    "our log", "aiohttp's log", "asyncio's log in debug mode", "any log", "warnings", "hooks", "hooks as dict", "hooks pickled",
    "client", "tasks", "dump of all stacks", "event loop's exception handler", "unclosed client", "standard error of the command",
    "standard output of a failed command", "emulator's log", "sync facade",
)  # fmt: skip


class Log(logging.Handler):
    """Everything that any logger says, at any level: its text, and all that hangs on the record."""

    def __init__(self):
        super().__init__(logging.NOTSET)
        self.records = []

    def emit(self, record):
        self.records.append(record)

    def __enter__(self):
        self._root = logging.getLogger()
        self._levels = {self._root: self._root.level}
        for logger in list(logging.Logger.manager.loggerDict.values()):
            if isinstance(logger, logging.Logger):
                self._levels[logger] = logger.level
        for logger in self._levels:
            logger.setLevel(logging.DEBUG)
        self._root.addHandler(self)
        return self

    def __exit__(self, *_):
        self._root.removeHandler(self)
        for logger, level in self._levels.items():
            logger.setLevel(level)

    def text(self, *names):
        formatter = logging.Formatter("%(name)s %(levelname)s %(message)s")
        return "\n".join(
            f"{formatter.format(record)} {vars(record)}"
            for record in self.records
            if not names or record.name.split(".")[0] in names
        )
