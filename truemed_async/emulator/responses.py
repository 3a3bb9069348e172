"""The two answers that everything here is made of: a JSON body, and a refusal."""

import orjson
from aiohttp import web

from truemed_async.emulator.call import Problem


def answer(status: int, body: object, headers: dict[str, str] | None = None) -> web.Response:
    """Return a JSON answer, or none at all with a 204; what JSON cannot say is said as text."""
    if status == 204:
        return web.Response(status=204, headers=headers)
    content = orjson.dumps(body, default=str)
    return web.Response(status=status, body=content, headers=headers, content_type="application/json")


def refusal(problem: Problem, headers: dict[str, str] | None = None) -> web.Response:
    """Return Truemed's error answer."""
    headers = {**(headers or {}), **({"Allow": problem.allow} if problem.allow else {})}
    return answer(problem.status, problem.body, headers)
