"""Other processes, made by multiprocessing: each has a client of its own, made there or inherited."""

from tests.support.stalling_server import on_either_loop

PROCESSES = """
import concurrent.futures, multiprocessing, os

from truemed_async import Truemed

client = Truemed()  # at import, in each process anew or inherited

def work(number):
    return client.qualification_sessions.get(f"qs_{number}").qualification_session_id

if __name__ == "__main__":
    context = multiprocessing.get_context(METHOD)
    assert work(0) == "qs_0"
    process = context.Process(target=work, args=[1])
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert work(2) == "qs_2"
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        print(list(pool.map(work, range(6))))
    assert work(3) == "qs_3"
"""


@on_either_loop({"spawn": "spawn", "forkserver": "forkserver", "fork": "fork"})
def test_processes_of_multiprocessing(run_program, server, case, loop):
    out, err = run_program(PROCESSES.replace("METHOD", repr(case)), server, loop=loop)
    assert out == f"{[f'qs_{number}' for number in range(6)]}\n"
    assert err == ""


def test_client_is_not_sent_to_another_process(run_program, server):
    program = """
        import multiprocessing
        from truemed_async import Truemed

        if __name__ == "__main__":
            try:
                multiprocessing.get_context("spawn").Process(target=print, args=[Truemed()]).start()
            except TypeError as error:
                print(error)
    """
    assert "create one in each process" in run_program(program, server)[0]
