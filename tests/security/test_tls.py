"""TLS is always checked, and only an argument can put a proxy in between, which then never sees the key."""

import asyncio
import contextlib
import ssl
import warnings

import aiohttp
import pytest
import trustme

from tests.support.recording_server import KEY, respond_with
from truemed_async import AsyncTruemed, RetryPolicy, Truemed, errors

SESSION = b'{"qualification_session_id": "qs_1", "status": "approved"}'
ONCE = RetryPolicy(max_attempts=1)


async def refused(server, **options):
    async with AsyncTruemed(KEY, base_url=server.url, retry=ONCE, **options) as client:
        with pytest.raises(errors.TLSError) as caught:
            await client.qualification_sessions.get("qs_1")
    assert (caught.value.outcome, caught.value.attempts, server.requests) == ("not_sent", 1, [])
    return caught.value


@pytest.mark.parametrize("client", [AsyncTruemed, Truemed])
@pytest.mark.parametrize(
    "value", [False, True, 0, 1, "", "/etc/ssl/ca.pem", ssl.CERT_NONE, frozenset(), ssl.SSLContext], ids=ascii
)
def test_no_boolean_or_path_switches_verification_off(client, value):
    with pytest.raises(errors.InvalidArgumentError, match="cannot be switched off"):
        client(KEY, ssl_context=value)


@pytest.mark.parametrize("name", ["verify", "verify_ssl", "ssl", "insecure", "trust_env", "follow_redirects"])
@pytest.mark.parametrize("client", [AsyncTruemed, Truemed])
def test_there_is_no_other_switch(client, name):
    with pytest.raises(TypeError):
        client(KEY, **{name: False})


async def test_certificate_defined_by_the_user_authority_is_accepted(serve, authority):
    server = await serve(respond_with(SESSION), ssl=authority.server())
    async with AsyncTruemed(KEY, base_url=server.url, ssl_context=authority.client()) as client:
        assert (await client.qualification_sessions.get("qs_1")).status == "approved"
    assert server.requests[0].header("x-truemed-api-key") == [KEY]


async def test_sync_facade_accepts_valid_argument(serve, authority):
    """On its own event loop, which is uvloop's where that is installed."""
    server = await serve(respond_with(SESSION), ssl=authority.server())

    def call():
        with Truemed(KEY, base_url=server.url, ssl_context=authority.client(), retry=ONCE) as client:
            return client.qualification_sessions.get("qs_1").status

    assert await asyncio.to_thread(call) == "approved"
    assert server.requests[0].header("x-truemed-api-key") == [KEY]


async def test_certificate_of_an_unknown_authority_is_rejected(serve, authority):
    server = await serve(respond_with(SESSION), ssl=authority.server())
    error = await refused(server)
    assert "certificate" in str(error)


async def test_certificate_that_signs_itself_is_rejected(serve, authority):
    itself = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(itself)
    server = await serve(respond_with(SESSION), ssl=itself)
    assert "certificate" in str(await refused(server, ssl_context=authority.client()))


async def test_certificate_for_another_host_is_rejected(serve, authority):
    server = await serve(respond_with(SESSION), ssl=authority.server("elsewhere.example", "127.0.0.2"))
    assert "certificate" in str(await refused(server, ssl_context=authority.client()))


async def test_sync_facade_rejects_bad_argument(serve, authority):
    server = await serve(respond_with(SESSION), ssl=authority.server())

    def call():
        with Truemed(KEY, base_url=server.url, retry=ONCE) as client:
            client.qualification_sessions.get("qs_1")

    with pytest.raises(errors.TLSError):
        await asyncio.to_thread(call)
    assert server.requests == []


def old(context):
    """Let a context speak TLS 1.1, and nothing newer, if the library is built with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with contextlib.suppress(ssl.SSLError):
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


async def test_server_that_speaks_only_tls_1_1_is_rejected(serve, authority):
    server = await serve(respond_with(SESSION), ssl=old(authority.server()))
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=old(authority.client()))
    except (ssl.SSLError, ConnectionError):
        pytest.skip("this build of OpenSSL does not speak TLS 1.1 at all, so nothing can be shown")
    version = writer.get_extra_info("ssl_object").version()
    writer.close()
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        await writer.wait_closed()
    assert version == "TLSv1.1", "a client that wants to can"
    async with AsyncTruemed(KEY, base_url=server.url, retry=ONCE, ssl_context=authority.client()) as client:
        with pytest.raises(errors.ConnectError) as caught:  # some builds end the handshake by a reset
            await client.qualification_sessions.get("qs_1")
    assert (caught.value.outcome, server.requests) == ("not_sent", [])


async def test_host_name_is_checked_and_not_its_address(serve, authority):
    """The host of the URL is what the certificate is held against, whatever a Host header might say."""
    server = await serve(respond_with(SESSION), ssl=authority.server("127.0.0.1"))
    server.url = server.url.replace("127.0.0.1", "localhost")
    await refused(server, ssl_context=authority.client())


# ---- proxies and the environment

VARIABLES = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_proxies_in_the_environment_are_ignored(serve, authority, monkeypatch, tmp_path, tls):
    proxy = await serve(respond_with(SESSION))
    server = await serve(respond_with(SESSION), ssl=authority.server() if tls else None)
    for name in VARIABLES:
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.setenv("NO_PROXY", "")
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login eve password secret\ndefault login eve password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))

    def call():
        context = authority.client() if tls else None
        with Truemed(KEY, base_url=server.url, ssl_context=context) as client:
            client.qualification_sessions.get("qs_1")

    async with AsyncTruemed(KEY, base_url=server.url, ssl_context=authority.client() if tls else None) as client:
        await client.qualification_sessions.get("qs_1")
    await asyncio.to_thread(call)
    assert (len(server.requests), proxy.connections) == (2, 0)
    for request in server.requests:
        assert request.header("authorization") == request.header("proxy-authorization") == []
        assert b"eve" not in request.raw


async def test_proxies_in_the_environment_would_work(serve, monkeypatch):
    """A negative control: aiohttp, asked to trust the environment, goes through the proxy and takes the key along."""
    proxy = await serve(respond_with(SESSION))
    for name in VARIABLES:
        monkeypatch.setenv(name, proxy.url)
    async with (
        aiohttp.ClientSession(trust_env=True) as session,
        session.get("http://localhost:1/", headers={"x-truemed-api-key": KEY}) as response,
    ):
        assert response.status == 200
    assert proxy.requests[0].header("x-truemed-api-key") == [KEY]


class Tunnel:
    """A proxy that knows CONNECT and nothing else: it keeps every byte that it can read, and passes on the rest."""

    def __init__(self, response=b"HTTP/1.1 200 Connection established\r\n\r\n", leads_to=None):
        self.response = response
        self.leads_to = leads_to
        self.heads = []
        self.passed = b""
        self._tasks, self._writers = set(), []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self._writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            writer.write(self.response)
            if b" 200 " in self.response:
                host, port = head.split(b" ")[1].decode().rsplit(":", 1)
                inner_reader, inner_writer = await asyncio.open_connection(*(self.leads_to or (host, int(port))))
                self._writers.append(inner_writer)
                await asyncio.gather(self._pass(reader, inner_writer, keep=True), self._pass(inner_reader, writer))
        writer.close()

    async def _pass(self, reader, writer, *, keep=False):
        while data := await reader.read(65536):
            if keep:
                self.passed += data
            writer.write(data)
            await writer.drain()
        writer.close()


async def test_key_is_not_in_what_a_proxy_can_read(serve, authority):
    server = await serve(respond_with(SESSION), ssl=authority.server())
    async with Tunnel() as proxy:
        options = {"ssl_context": authority.client(), "proxy": f"http://eve:pw%21@{proxy.address}"}
        async with AsyncTruemed(KEY, base_url=server.url, **options) as client:
            await client.qualification_sessions.get("qs_1")
            await client.qualification_sessions.update("qs_1", user_id="a.person@example.com")
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic ZXZlOnB3IQ==" in head, "the password is for the proxy"
    for name in (b"truemed", KEY.encode(), b"qs_1", b"person", b"qualification"):
        assert name not in head.replace(b"truemed-async/", b"").lower()
        assert name not in proxy.passed
    assert [request.header("x-truemed-api-key") for request in server.requests] == [[KEY], [KEY]]
    assert all(b"pw!" not in request.raw and b"ZXZl" not in request.raw for request in server.requests)


@pytest.mark.parametrize("status", [301, 302, 307, 403, 407, 500, 502])
async def test_proxy_that_rejects_gets_no_more(serve, authority, status):
    server = await serve(respond_with(SESSION), ssl=authority.server())
    response = f"HTTP/1.1 {status} No\r\nLocation: https://evil.example/{KEY}\r\nContent-Length: 0\r\n\r\n".encode()
    async with Tunnel(response) as proxy:
        options = {"ssl_context": authority.client(), "proxy": f"http://{proxy.address}"}
        async with AsyncTruemed(KEY, base_url=server.url, retry=ONCE, **options) as client:
            with pytest.raises(errors.ConnectError) as caught:
                await client.qualification_sessions.get("qs_1")
    assert (caught.value.outcome, server.connections, len(proxy.heads)) == ("not_sent", 0, 1)
    assert KEY.encode() not in proxy.heads[0]
    assert "evil" not in f"{caught.value} {vars(caught.value)}"


async def test_proxy_that_plays_the_server_is_rejected(serve, authority):
    """It answers the handshake itself, with an untrusted certificate."""
    impostor_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("api.truemed.com").configure_cert(impostor_context)
    impostor = await serve(respond_with(SESSION), ssl=impostor_context)
    async with Tunnel(leads_to=("127.0.0.1", impostor.port)) as proxy:
        options = {"ssl_context": authority.client(), "proxy": f"http://{proxy.address}"}
        async with AsyncTruemed(KEY, base_url="https://api.truemed.com", retry=ONCE, **options) as client:
            with pytest.raises(errors.TLSError) as caught:
                await client.qualification_sessions.get("qs_1")
    assert (caught.value.outcome, impostor.requests) == ("not_sent", [])
    assert proxy.heads[0].startswith(b"CONNECT api.truemed.com:443 ")


@pytest.mark.parametrize(
    "proxy",
    [
        "",
        "proxy.example:3128",
        "socks5://proxy.example",
        "ftp://u:hidden@p",
        "http://",
        "http://u:hidden@",
        1,
        False,
        "http://[hidden",
    ],
)
def test_invalid_proxy_raises_without_showing_it(proxy):
    with pytest.raises(errors.InvalidArgumentError) as caught:
        AsyncTruemed(KEY, proxy=proxy)
    assert "hidden" not in str(caught.value)


# ---- a borrowed session


async def test_borrowed_session_does_not_learn_the_key(serve):
    server = await serve(respond_with(SESSION))
    async with aiohttp.ClientSession() as session:
        client = AsyncTruemed(KEY, base_url=server.url, session=session)
        await client.qualification_sessions.get("qs_1")
        assert KEY not in f"{vars(session)} {session.headers}"
        async with session.get(server.url) as response:
            await response.read()
    assert server.requests[1].header("x-truemed-api-key") == []


async def test_borrowed_session_does_not_make_redirects_followed(serve):
    second = await serve(respond_with(SESSION))
    server = await serve(respond_with(b"", status=307, headers=(f"Location: {second.url}/",)))
    async with aiohttp.ClientSession(headers={"x-truemed-api-key": "theirs"}) as session:
        client = AsyncTruemed(KEY, base_url=server.url, session=session)
        with pytest.raises(errors.UnexpectedRedirectError):
            await client.qualification_sessions.get("qs_1")
    assert (second.connections, server.requests[0].header("x-truemed-api-key")) == (0, [KEY])


async def test_borrowed_session_that_raises_for_statuses_does_not_change_the_error(serve):
    """aiohttp would raise its own, with the key among the request's headers, in the place of the typed one."""
    server = await serve(respond_with(b'{"error": "NotFound"}', status=404))
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        client = AsyncTruemed(KEY, base_url=server.url, session=session)
        with pytest.raises(errors.NotFoundError):
            await client.qualification_sessions.get("qs_1")
