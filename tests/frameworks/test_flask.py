"""Flask: many threads of one process share one client."""

import json
import signal

from tests.support.processes import ask


def test_threads_share_the_client(start, emulator, ids, scale):
    emulator.faults.add("latency", seconds=0.02)
    server = start("-m", "flask", "--app", "shop", "run", "--port", "0", example="flask")
    address = server.address()
    wanted = [ids[number % len(ids)] for number in range(scale(200, 2000))]
    answers = ask(address, [f"/status/{session_id}" for session_id in wanted], clients=16)
    assert [(status, json.loads(body)) for status, body in answers] == [
        (200, {"status": emulator.state.qualification_sessions.get(session_id).status}) for session_id in wanted
    ]
    assert emulator.requests.max_in_flight > 1
    assert [status for status, _ in ask(address, ["/status/qs_nobody", "/status/.."])] == [404, 404]

    assert server.end(signal.SIGINT) == 0
    assert server.complaints() == []
