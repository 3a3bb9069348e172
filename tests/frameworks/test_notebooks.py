"""Notebooks: a kernel runs an event loop in its main thread."""

import json

from tests.support.processes import EXAMPLES

NOTEBOOK = EXAMPLES / "notebooks" / "notebook.py"


def test_both_clients_work_silently_in_a_notebook(start, emulator):
    emulator.state.qualification_sessions.add(qualification_session_id="qs_abc123", status="approved")
    for _ in range(5):
        emulator.state.qualification_sessions.add(status="approved")
    run = start("-m", "run_notebook", NOTEBOOK, example="notebooks", options=("-W", "default"))
    assert run.wait() == 0, run.output
    cells = [json.loads(line) for line in run.output.splitlines() if line.startswith('{"cell"')]
    assert cells == [
        {"cell": "sync", "results": ["<QualificationStatus.APPROVED: 'approved'>"], "written": []},
        {"cell": "async", "results": ["<QualificationStatus.APPROVED: 'approved'>"], "written": []},
        {"cell": "many", "results": ["6"], "written": []},
        {"cell": "close", "results": [], "written": []},
    ]
