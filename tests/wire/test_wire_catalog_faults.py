"""Every row of the fault matrix for the catalog: its writes take no key, and one of its reads is a POST."""

import pytest
from matrix import ROWS
from patience import time_for

from truemed_async import RetryPolicy, errors

QUICK = RetryPolicy(base=0.001, cap=0.001)

# How often each is sent stands in the matrix under: read, write with a key, write without one.
READ, UNKEYED = 0, 2
CALLS = {
    "catalog_items.create": (UNKEYED, lambda client: client.catalog_items.create("A-1", name="Sauna")),
    "catalog_items.update": (UNKEYED, lambda client: client.catalog_items.update("A-1", name="Sauna")),
    "catalog_items.get": (READ, lambda client: client.catalog_items.get("A-1")),
}
# No page shows a field of these answers, so no field of them can be wrong or missing: any object is one, and none too.
SHAPELESS = {"catalog_items.create", "catalog_items.update"}
NO_FAULT = {"wrong_shape", "empty_200", "unexpected_204"}
CASES = [
    pytest.param(row, name, id=f"{row.name}-{name}")
    for row in ROWS
    for name in CALLS
    if not (row.name in NO_FAULT and name in SHAPELESS)
]


@pytest.mark.parametrize(("row", "name"), CASES)
async def test_fault(serve, client_for, row, name):
    kind, call = CALLS[name]
    server = await serve(row.script)
    client = await client_for(server, retry=QUICK, timeout=time_for(row.error))
    with pytest.raises(getattr(errors, row.error)) as caught:
        await call(client)
    error = caught.value
    assert type(error) is getattr(errors, row.error)
    assert len(server.requests) == row.sent[kind] == error.attempts
    assert (error.outcome, error.endpoint, error.idempotency_key) == (row.outcome, name, None)
    assert len({request.body for request in server.requests}) == 1, "every attempt sends the same bytes"
