"""A redirect is never followed: aiohttp would carry the key, and the body, to wherever the server points."""

import pytest

from tests.support.canary import EMAIL, NAME, OF_SERVER, found_in_error, leaks
from tests.support.recording_server import KEY, respond_with
from truemed_async import AsyncTruemed, Endpoint, Idempotency, QualificationSession, errors

KINDS = {
    "GET": Endpoint("things.get", "GET", "/things/{id}", QualificationSession),
    "POST with key": Endpoint(
        "things.set", "POST", "/things/{id}", QualificationSession, idempotency=Idempotency.KEYED
    ),
    "POST without key": Endpoint("things.do", "POST", "/things/{id}", QualificationSession),
}
SESSION = b'{"qualification_session_id": "qs_1", "status": "approved"}'
SECRET_PATH = f"/{EMAIL}/x?name={NAME.replace(' ', '+')}"


def pointing(status, location):
    async def script(exchange):
        await exchange.respond(status, b"", (f"Location: {location}",))

    return script


async def refused(client, kind):
    endpoint = KINDS[kind]
    with pytest.raises(errors.UnexpectedRedirectError) as caught:
        await client.send(endpoint, path={"id": "x"}, body=None if kind == "GET" else {"user_id": "u"})
    assert (caught.value.outcome, caught.value.attempts) == ("rejected", 1)
    return caught.value


def tells_nothing_of(error, *locations):
    assert found_in_error(error) == []
    texts = f"{error} {error!r} {error.args} {vars(error)}"
    assert not any(location in texts for location in locations)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["other host", "other port", "no scheme", "http downgrade"])
async def test_not_a_byte_reaches_another_origin(serve, authority, status, kind, target):
    second = await serve(respond_with(SESSION))
    location = {
        "other host": f"http://localhost:{second.port}{SECRET_PATH}",
        "other port": f"{second.url}{SECRET_PATH}",
        "no scheme": f"//127.0.0.1:{second.port}{SECRET_PATH}",
        "http downgrade": f"{second.url}{SECRET_PATH}",
    }[target]
    tls = target == "http downgrade"
    first = await serve(pointing(status, location), ssl=authority.server() if tls else None)
    async with AsyncTruemed(KEY, base_url=first.url, ssl_context=authority.client() if tls else None) as client:
        error = await refused(client, kind)
    assert (second.connections, len(first.requests)) == (0, 1)
    tells_nothing_of(error, str(second.port), "localhost", "things/x")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/elsewhere", "elsewhere", "?again=1", "{url}/elsewhere", ""])
async def test_not_even_to_the_same_origin(serve, client_for, status, kind, location):
    async def script(exchange):
        await exchange.respond(status, b"", (f"Location: {location.replace('{url}', server.url)}",))

    server = await serve(script)
    error = await refused(await client_for(server), kind)
    assert len(server.requests) == 1
    tells_nothing_of(error, "elsewhere", "again")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [300, 304, 305, 306, 399])
async def test_neither_are_the_other_statuses_of_that_class(serve, client_for, status, kind):
    second = await serve(respond_with(SESSION))
    server = await serve(pointing(status, second.url))
    await refused(await client_for(server), kind)
    assert (second.connections, len(server.requests)) == (0, 1)


@pytest.mark.parametrize(
    "header", ["Location: {url}", "Refresh: 0; url={url}", "Content-Location: {url}", "Link: <{url}>"]
)
async def test_no_response_header_causes_a_second_request(serve, client_for, header):
    second = await serve(respond_with(SESSION))
    server = await serve(respond_with(SESSION, headers=(header.replace("{url}", second.url),)))
    client = await client_for(server)
    await client.qualification_sessions.get("qs_1")
    assert (second.connections, len(server.requests)) == (0, 1)


async def test_redirect_url_of_a_refusal_is_not_visited(serve, client_for):
    second = await serve(respond_with(SESSION))
    body = b'{"error": "Declined", "redirect_url": "%s/pay"}' % second.url.encode()
    server = await serve(respond_with(body, status=422))
    client = await client_for(server)
    with pytest.raises(errors.PaymentMethodError) as caught:
        await client.send(KINDS["POST with key"], path={"id": "x"})
    assert caught.value.redirect_url == f"{second.url}/pay"
    assert (second.connections, leaks(str(vars(caught.value)), OF_SERVER)) == (0, [])
    assert str(second.port) not in f"{caught.value} {vars(caught.value)}"
