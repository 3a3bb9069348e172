"""Among greenlets: a call lets the others run, and what cannot work says so."""

import pytest

BEGIN = """
from gevent import monkey
monkey.patch_all({exceptions})
import gevent
from truemed_async import Truemed, errors
client = Truemed()
get = client.qualification_sessions.get
"""


def test_greenlets_run_while_others_call(run_program, server):
    program = (
        BEGIN.format(exceptions="")
        + """
ticks = []

def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.001)

ticking = gevent.spawn(tick)
silent = gevent.spawn(get, "qs_silent")
while len(ticks) < 50:
    gevent.sleep(0.001)
names = [f"qs_{number}" for number in range(100)]
calls = [gevent.spawn(get, name) for name in names]
gevent.joinall(calls, timeout=30)
print([call.value.qualification_session_id for call in calls] == names)
print(len(list(client.qualification_sessions.iter())))
print(len(list(client.qualification_sessions.get_many(names))))
silent.kill()
ticking.kill()
print(tasks_left())
"""
    )
    assert run_program(program, server, loop="uvloop") == ("True\n500\n100\n0\n", "")


def test_forked_child_of_greenlets_makes_calls(run_program, server):
    program = (
        BEGIN.format(exceptions="")
        + """
import os
gevent.get_hub().loop.install_sigchld()  # its first fork is watched later, and a child that ends before is not seen
assert get("qs_1")
child = os.fork()
if child == 0:
    os._exit(0 if get("qs_2").qualification_session_id == "qs_2" else 1)
print(os.waitpid(child, 0)[1], get("qs_3").qualification_session_id)
"""
    )
    assert run_program(program, server) == ("0 qs_3\n", "")


def test_ctrl_c_among_greenlets(run_program, server):
    program = (
        BEGIN.format(exceptions="")
        + """
try:
    get("qs_silent")
except KeyboardInterrupt:
    print("interrupted")
print(get("qs_1").status, tasks_left())
"""
    )
    assert run_program(program, server, interrupt=True)[0] == "interrupted\napproved 0\n"


@pytest.mark.parametrize("exceptions", ["thread=False", "select=False"])
def test_partial_monkey_patching_raises(run_program, server, exceptions):
    program = (
        BEGIN.format(exceptions=exceptions)
        + """
try:
    get("qs_1")
except errors.ConfigurationError as error:
    print(error)
"""
    )
    assert "monkey.patch_all()" in run_program(program, server, options=())[0]
