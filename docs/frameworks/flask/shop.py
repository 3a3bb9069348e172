from flask import Flask, abort

from truemed_async import Truemed
from truemed_async.errors import InvalidArgumentError, NotFoundError


def create_app(truemed: Truemed | None = None) -> Flask:
    truemed = truemed or Truemed(timeout=20)  # reads TRUEMED_API_KEY; nothing is opened yet
    app = Flask(__name__)

    @app.get("/status/<session_id>")
    def status(session_id: str) -> dict[str, str]:
        try:
            session = truemed.qualification_sessions.get(session_id)
        except (InvalidArgumentError, NotFoundError):
            abort(404)
        return {"status": session.status}

    return app
