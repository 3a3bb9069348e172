"""Flask: many threads of one process share one client."""

import json
import signal

from tests.support.processes import EXAMPLES, get_all


def test_threads_share_the_client(start, emulator, ids, scale):
    emulator.faults.add("latency", seconds=0.02)
    server = start("-m", "flask", "--app", "shop", "run", "--port", "0", example="flask")
    address = server.address()
    session_ids = [ids[number % len(ids)] for number in range(scale(200, 2000))]
    responses = get_all(address, [f"/status/{session_id}" for session_id in session_ids], clients=16)
    assert [(status, json.loads(body)) for status, body in responses] == [
        (200, {"status": emulator.state.qualification_sessions.get(session_id).status}) for session_id in session_ids
    ]
    assert emulator.requests.max_in_flight > 1
    assert [status for status, _ in get_all(address, ["/status/qs_nobody", "/status/.."])] == [404, 404]

    assert server.end(signal.SIGINT) == 0
    assert server.complaints() == []


def test_deployed_application_fulfills_an_order_once(start, deliver, purchase, ids):
    options = ("-c", EXAMPLES / "flask" / "gunicorn.conf.py", "--bind", "127.0.0.1:0", "--no-control-socket")
    server = start("-m", "gunicorn", *options, "wsgi:app", example="flask")
    address = server.address()
    assert deliver(address) == [204] * 4 + [401]
    purchase(address, "order-8")
    assert get_all(address, [f"/status/{ids[0]}"])[0][0] == 200
    assert server.end() == 0
    assert [server.output.count(f"{order} is paid") for order in ("order-7", "order-8")] == [1, 1]
    assert server.complaints() == []
