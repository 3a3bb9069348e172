"""Flask and Django as deployed: gunicorn forks its workers after the application and its store were created."""

import collections
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.framework_servers import PATIENCE, ROUTE, chunk, head, post, send_request
from tests.support.webhook_payloads import SECRET, make_capture_body, make_signed_headers
from truemed_async.webhooks import MAX_DELIVERY_BYTES

SHOP = f"""
    import os
    from truemed_async.webhooks import Receiver, SQLiteDedupStore

    def fulfill(event):
        with open("effects", "a") as effects:
            effects.write(f"{{event.delivery_id}} {{os.getpid()}}\\n")

    receiver = Receiver(fulfill, secrets={SECRET!r}, store=SQLiteDedupStore("webhooks.db"))
"""
FLASK = f"""
    from flask import Flask
    from truemed_async.webhooks.flask import webhook_endpoint

    app = Flask("shop")
    app.add_url_rule({ROUTE!r}, view_func=webhook_endpoint(receiver), methods=["POST"])
"""
DJANGO = f"""
    import django
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.urls import path

    settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="x", ROOT_URLCONF=__name__)
    django.setup()
    from truemed_async.webhooks.django import webhook_endpoint

    urlpatterns = [path({ROUTE[1:]!r}, webhook_endpoint(receiver))]
    app = get_wsgi_application()
"""


@pytest.fixture(scope="module", params=["flask", "django"])
def gunicorn(request, tmp_path_factory):
    """Run a shop with two workers; return its port and the file with its effects."""
    folder = tmp_path_factory.mktemp("shop")
    framework = FLASK if request.param == "flask" else DJANGO
    (folder / "shop.py").write_text(textwrap.dedent(SHOP) + textwrap.dedent(framework))
    options = ["--workers", "2", "--preload", "--bind", "127.0.0.1:0", "--timeout", str(PATIENCE)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))}  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, "shop:app"],
        cwd=folder, env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    watchdog = threading.Timer(2 * PATIENCE, process.kill)
    watchdog.start()
    log = []
    try:
        for line in process.stderr:
            log.append(line)
            if listens := re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise AssertionError("".join(log))
        drain = threading.Thread(target=process.stderr.read)
        drain.start()
        yield int(listens[1]), folder / "effects"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        drain.join(PATIENCE)
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stderr.close()


def delivery_ids(effects):
    return [line.split()[0] for line in effects.read_text().splitlines()] if effects.exists() else []


def test_two_workers_handle_each_event_once(gunicorn):
    port, effects = gunicorn
    bodies = [make_capture_body(number) for number in range(30)]

    def deliver(body):
        """Deliver until accepted, as Truemed does."""
        while (status := send_request(port, post(body, make_signed_headers(body)))[0]) == 500:
            pass
        return status

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(deliver, bodies * 3)) == {204}
    handled = collections.Counter(delivery_ids(effects))
    assert {number: handled[f"whd_{number}"] for number in range(30)} == dict.fromkeys(range(30), 1)


def test_deployed_server_rejects_forged_header_and_large_body(gunicorn):
    port, effects = gunicorn
    body = make_capture_body(99)
    forged = make_signed_headers(body, "another-secret")["x-truemed-signature"]
    twice = [("X-Truemed-Signature", forged), ("X-Truemed-Signature", "t=1,v1=00")]
    assert send_request(port, head(*twice, ("Content-Length", len(body))) + body)[0] == 401
    assert (
        send_request(port, head(*make_signed_headers(body).items(), ("Content-Length", MAX_DELIVERY_BYTES + 1)))[0]
        == 413
    )
    large = (chunk(b"x" * MAX_DELIVERY_BYTES), chunk(b"x" * MAX_DELIVERY_BYTES))
    assert (
        send_request(port, head(*make_signed_headers(body).items(), ("Transfer-Encoding", "chunked")), large)[0] == 413
    )
    assert "whd_99" not in delivery_ids(effects)
    chunked = head(*make_signed_headers(body).items(), ("Transfer-Encoding", "chunked")) + chunk(body) + chunk(b"")
    assert send_request(port, chunked)[0] == 204
    assert delivery_ids(effects).count("whd_99") == 1
