"""A fault of the emulator: responses with a field that no page describes."""

from __future__ import annotations

import json

from aiohttp import web

from truemed_async.emulator import Exchange, Fault


class UndocumentedField(Fault):
    """Adds ``brand_new`` to each qualification session of a list."""

    async def after(self, exchange: Exchange, response: web.Response) -> web.Response:
        del exchange
        data = json.loads(response.body)
        for row in data["qualification_sessions"]:
            row["brand_new"] = [1]
        return web.json_response(data)
