"""FastAPI: one async client for the application's life, closed by its lifespan."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor

from tests.support.processes import get_all
from tests.support.waiting import wait_until

UVICORN = ("-m", "uvicorn", "shop:app", "--port", "0")


def test_client_of_each_worker_serves_every_request(start, emulator, ids, scale):
    server = start(*UVICORN, "--workers", "2", example="fastapi")
    address = server.address()
    wait_until(lambda: server.output.count("Application startup complete") == 2, lambda: server.output)
    session_ids = [ids[number % len(ids)] for number in range(scale(200, 2000))]
    responses = get_all(address, [f"/status/{session_id}" for session_id in session_ids], clients=16)
    assert [(status, json.loads(body)) for status, body in responses] == [
        (200, {"status": emulator.state.qualification_sessions.get(session_id).status}) for session_id in session_ids
    ]
    assert get_all(address, ["/status/qs_nobody"])[0][0] == 404

    server.end()
    assert server.output.count("Application shutdown complete") == 2
    assert server.complaints() == []


def test_request_in_flight_gets_a_response_before_the_client_is_closed(start, emulator, ids):
    server = start(*UVICORN, example="fastapi")
    address = server.address()
    emulator.faults.add("latency", seconds=1.0)
    with ThreadPoolExecutor() as pool:
        pending = pool.submit(get_all, address, [f"/status/{ids[2]}"])
        wait_until(lambda: emulator.requests.in_flight, lambda: server.output)
        assert server.end(signal.SIGINT) == 0  # after SIGTERM uvicorn ends without finalisers, which would complain
        ((status, body),) = pending.result()
    assert (status, json.loads(body)) == (200, {"status": "approved"})
    server.says("Application shutdown complete")
    assert server.complaints() == []


def test_deployed_application_fulfills_an_order_once(start, deliver, purchase, ids):
    options = ("--workers", "2", "--timeout-graceful-shutdown", "30")
    server = start("-m", "uvicorn", "main:app", "--port", "0", *options, example="fastapi")
    address = server.address()
    assert deliver(address) == [204] * 4 + [401]
    purchase(address, "order-8")
    assert get_all(address, [f"/status/{ids[0]}"])[0][0] == 200
    server.end()
    assert [server.output.count(f"{order} is paid") for order in ("order-7", "order-8")] == [1, 1]
    assert server.complaints() == []


def test_application_without_the_secret_does_not_start(start):
    server = start("-m", "uvicorn", "main:app", "--port", "0", example="fastapi", more={"TRUEMED_WEBHOOK_SECRET": ""})
    assert server.wait() != 0
