"""Starts the emulator and a shop: ``python run.py fastapi`` or ``python run.py django``. Ctrl-C ends both."""

import os
import socket
import sys
import tempfile
from pathlib import Path

from truemed_async.emulator import Emulator

HERE = Path(__file__).parent


def main(kind: str = "fastapi") -> None:
    if kind not in ("fastapi", "django"):
        sys.exit(f"there is no shop {kind!r}: python run.py fastapi, or python run.py django")
    listener = socket.create_server(("127.0.0.1", int(os.environ.get("SHOP_PORT", "0"))))
    shop = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder, Emulator(sessions=0, merchant_name="Example Wellness") as emulator:
        emulator.state.catalog_items.add(sku="mat-1", name="Acupressure mat", eligibility="eligible_with_lmn")
        endpoint = emulator.webhooks.register(f"{shop}/webhooks/truemed")
        os.environ |= {
            "TRUEMED_API_KEY": emulator.api_key,
            "TRUEMED_BASE_URL": emulator.url,
            "TRUEMED_WEBHOOK_SECRET": endpoint.secrets[0],
            "SHOP_URL": shop,
            "SHOP_DATABASE": f"{folder}/shop.sqlite",
        }
        sys.path.insert(0, str(HERE))
        print(f"url        {shop}/\ninspector  {emulator.url}/", flush=True)
        serve(kind, listener)


def serve(kind: str, listener: socket.socket) -> None:
    if kind == "fastapi":
        import uvicorn
        from fastapi_shop import app

        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
    else:
        from socketserver import ThreadingMixIn
        from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

        from django_shop import app

        class Threaded(ThreadingMixIn, WSGIServer):
            daemon_threads = True

        class Silent(WSGIRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

        server = Threaded(listener.getsockname(), Silent, bind_and_activate=False)
        server.socket.close()
        server.socket = listener
        server.server_name, server.server_port = listener.getsockname()
        server.setup_environ()
        server.set_app(app)
        with server:
            server.serve_forever()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
