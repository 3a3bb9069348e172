"""Spans and metrics, as the SDK of OpenTelemetry exports them."""

import asyncio
import threading

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.support.canary import EMAIL, NAME, USER_ID, USER_NAME, leaks
from tests.support.fake_transport import make_client
from tests.support.recording_server import KEY
from tests.support.webhook_payloads import PAYMENT_SESSION, SECRET, make_body, make_capture_body, make_signed_headers
from truemed_async import AsyncTruemed, RetryPolicy, Truemed, errors
from truemed_async.opentelemetry import ClientTelemetry, WebhookTelemetry
from truemed_async.webhooks import AsyncReceiver, MemoryDedupStore, Receiver

QUICK = RetryPolicy(base=0.001, cap=0.001)
TRACE_ID = 0x4BF92F3577B34DA6A3CE929D0E0E4736
SPAN_ID = 0x00F067AA0BA902B7
TRACEPARENT = f"00-{TRACE_ID:032x}-{SPAN_ID:016x}-01"


class Collector:
    """The providers of OpenTelemetry, and what they exported."""

    def __init__(self):
        self._exporter, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meters = MeterProvider([self._reader])
        self.tracer = self.tracers.get_tracer("application")

    @property
    def providers(self):
        return {"tracer_provider": self.tracers, "meter_provider": self.meters}

    @property
    def spans(self):
        return self._exporter.get_finished_spans()

    def named(self, name):
        return [span for span in self.spans if span.name == name]

    def points(self, name):
        """Return the attributes and the point of each series of a metric."""
        data = self._reader.get_metrics_data()
        metrics = [
            metric
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]
        return [
            (dict(point.attributes), point)
            for metric in metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def text(self):
        return "\n".join([*(span.to_json() for span in self.spans), self._reader.get_metrics_data().to_json()])


@pytest.fixture
def collector():
    found = Collector()
    yield found
    found.tracers.shutdown()
    found.meters.shutdown()


@pytest.fixture
def session_id(truemed_emulator):
    return truemed_emulator.state.qualification_sessions.add(status="approved")


@pytest.fixture(params=["sync", "async"])
def call(request, truemed_emulator, collector):
    """Return a function that makes a call with either client, and returns its result or error."""

    def with_client(use):
        options = {
            "base_url": truemed_emulator.url,
            "hooks": [ClientTelemetry(**collector.providers)],
            "retry": QUICK,
        }
        if request.param == "sync":
            with Truemed(truemed_emulator.api_key, **options) as client:
                return use(client)

        async def run():
            async with AsyncTruemed(truemed_emulator.api_key, **options) as client:
                return await use(client)

        return asyncio.run(run())

    def run(use):
        try:
            return with_client(use)
        except errors.CallError as error:
            return error

    return run


# ---- calls


def test_call_writes_a_span_for_itself_and_its_attempt(session_id, call, collector, truemed_emulator):
    assert call(lambda client: client.qualification_sessions.get(session_id)).status == "approved"
    attempt, whole = collector.spans  # in the order in which they ended
    base = {
        "http.request.method": "GET",
        "url.template": whole.attributes["url.template"],
        "server.address": "127.0.0.1",
        "server.port": truemed_emulator.port,
    }
    assert session_id not in base["url.template"]
    assert base["url.template"].endswith("}")
    assert (whole.name, whole.kind, dict(whole.attributes)) == ("qualification_sessions.get", SpanKind.INTERNAL, base)
    assert (attempt.name, attempt.kind) == (f"GET {base['url.template']}", SpanKind.CLIENT)
    assert dict(attempt.attributes) == {**base, "http.response.status_code": 200}
    assert attempt.parent.span_id == whole.context.span_id
    assert whole.parent is None
    assert {span.status.status_code for span in collector.spans} == {StatusCode.UNSET}
    assert 0 < attempt.end_time - attempt.start_time <= whole.end_time - whole.start_time + 50_000_000


def test_call_is_the_child_of_the_callers_span(session_id, call, collector):
    with collector.tracer.start_as_current_span("order") as order:
        call(lambda client: client.qualification_sessions.get(session_id))
        assert trace.get_current_span() is order
    (whole,) = collector.named("qualification_sessions.get")
    assert whole.parent.span_id == order.get_span_context().span_id
    assert {span.context.trace_id for span in collector.spans} == {order.get_span_context().trace_id}


def test_retried_call_numbers_its_attempts_and_counts_the_retry(session_id, call, collector, truemed_emulator):
    truemed_emulator.faults.add("status", code=503, nth=1)
    call(lambda client: client.qualification_sessions.get(session_id))
    first, second, whole = collector.spans
    assert "http.request.resend_count" not in first.attributes
    assert second.attributes["http.request.resend_count"] == 1
    assert first.attributes["error.type"] == "ServerError"
    assert first.attributes["http.response.status_code"] == 503
    assert [span.status.status_code for span in (first, second, whole)] == [
        StatusCode.ERROR,
        StatusCode.UNSET,
        StatusCode.UNSET,
    ]
    assert {first.parent.span_id, second.parent.span_id} == {whole.context.span_id}
    ((attributes, point),) = collector.points("truemed.client.retries")
    assert (attributes["error.type"], point.value) == ("ServerError", 1)
    durations = collector.points("http.client.request.duration")
    assert sorted((found["http.response.status_code"], point.count) for found, point in durations) == [
        (200, 1),
        (503, 1),
    ]
    assert durations[0][1].explicit_bounds[:3] == (0.005, 0.01, 0.025)
    assert collector.points("truemed.client.rate_limit.wait.duration") == []


def test_failed_call_has_the_class_of_its_error_and_no_message(call, collector):
    error = call(lambda client: client.qualification_sessions.get("qs_nobody"))
    assert isinstance(error, errors.NotFoundError)
    assert [span.attributes["error.type"] for span in collector.spans] == ["NotFoundError"] * 2
    assert {span.status.status_code for span in collector.spans} == {StatusCode.ERROR}
    assert {span.status.description for span in collector.spans} == {None}
    assert [span.events for span in collector.spans] == [(), ()]


def test_connection_error_has_no_status(collector):
    with (
        Truemed(
            KEY,
            base_url="http://127.0.0.1:9",
            hooks=[ClientTelemetry(**collector.providers)],
            retry=RetryPolicy(max_attempts=1),
        ) as client,
        pytest.raises(errors.ConnectError),
    ):
        client.qualification_sessions.get("qs_1")
    attempt, _ = collector.spans
    assert "http.response.status_code" not in attempt.attributes
    assert attempt.attributes["error.type"] == "ConnectError"


async def test_cancelled_call_ends_its_spans_and_stays_cancelled(session_id, collector, truemed_emulator):
    truemed_emulator.faults.add("hang")
    hooks = [ClientTelemetry(**collector.providers)]
    async with AsyncTruemed(truemed_emulator.api_key, base_url=truemed_emulator.url, hooks=hooks) as client:
        task = asyncio.create_task(client.qualification_sessions.get(session_id))
        while not truemed_emulator.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    attempt, whole = collector.spans
    assert (attempt.kind, attempt.parent.span_id) == (SpanKind.CLIENT, whole.context.span_id)
    assert [span.attributes["error.type"] for span in collector.spans] == ["CancelledError"] * 2
    assert {span.status.status_code for span in collector.spans} == {StatusCode.ERROR}
    assert "http.response.status_code" not in attempt.attributes
    ((attributes, _),) = collector.points("http.client.request.duration")
    assert attributes["error.type"] == "CancelledError"
    assert collector.points("truemed.client.retries") == []


async def test_call_that_is_cancelled_before_its_attempt_has_one_span(session_id, collector, truemed_emulator):
    hooks = [ClientTelemetry(**collector.providers)]
    async with AsyncTruemed(
        truemed_emulator.api_key, base_url=truemed_emulator.url, hooks=hooks, max_concurrency=1
    ) as client:
        truemed_emulator.faults.add("hang")
        tasks = [asyncio.create_task(client.qualification_sessions.get(session_id)) for _ in range(2)]
        while not truemed_emulator.requests:
            await asyncio.sleep(0.01)
        tasks[1].cancel()
        await asyncio.wait([tasks[1]])
        assert [span.name for span in collector.spans] == ["qualification_sessions.get"]
        tasks[0].cancel()
        await asyncio.wait(tasks)
    assert len(collector.spans) == 3


async def test_cancellation_between_two_attempts_is_no_attempt(session_id, collector, truemed_emulator):
    truemed_emulator.faults.add("status", code=503)
    hooks, retry = [ClientTelemetry(**collector.providers)], RetryPolicy(base=60, cap=60)
    async with AsyncTruemed(
        truemed_emulator.api_key, base_url=truemed_emulator.url, hooks=hooks, retry=retry, timeout=600
    ) as client:
        task = asyncio.create_task(client.qualification_sessions.get(session_id))
        while not collector.spans:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
    assert [span.attributes["error.type"] for span in collector.spans] == ["ServerError", "CancelledError"]


async def test_attempt_ends_with_its_span_when_the_client_is_closed(session_id, collector, truemed_emulator):
    truemed_emulator.faults.add("hang")
    hooks = [ClientTelemetry(**collector.providers)]
    client = AsyncTruemed(truemed_emulator.api_key, base_url=truemed_emulator.url, hooks=hooks)
    task = asyncio.create_task(client.qualification_sessions.get(session_id))
    while not truemed_emulator.requests:
        await asyncio.sleep(0.01)
    await client.aclose()
    with pytest.raises(errors.ClientClosedError):
        await task
    assert [span.attributes["error.type"] for span in collector.spans] == ["ClientClosedError"] * 2


async def test_rate_limit_wait_is_measured(collector):
    client, _ = make_client((429, {}), {"qualification_session_id": "qs_1", "status": "approved"})
    client = client.with_options(hooks=[ClientTelemetry(**collector.providers)])
    await client.qualification_sessions.get("qs_1")
    await client.qualification_sessions.get("qs_1")
    waits = collector.points("truemed.client.rate_limit.wait.duration")
    assert sum(point.sum for _, point in waits) > 0
    assert all("http.response.status_code" not in attributes for attributes, _ in waits)


def test_threads_keep_their_own_parents(session_id, collector, truemed_emulator):
    parents = {}
    with Truemed(
        truemed_emulator.api_key, base_url=truemed_emulator.url, hooks=[ClientTelemetry(**collector.providers)]
    ) as client:

        def work(number):
            with collector.tracer.start_as_current_span(f"thread {number}") as span:
                for _ in range(5):
                    client.qualification_sessions.get(session_id)
                parents[number] = span.get_span_context().span_id

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    calls = collector.named("qualification_sessions.get")
    assert sorted(span.parent.span_id for span in calls) == sorted([*parents.values()] * 5)
    attempts = [span for span in collector.spans if span.kind is SpanKind.CLIENT]
    assert sorted(span.parent.span_id for span in attempts) == sorted(span.context.span_id for span in calls)


async def test_concurrent_calls_of_one_task_are_siblings(session_id, collector, truemed_emulator):
    hooks = [ClientTelemetry(**collector.providers)]
    async with AsyncTruemed(truemed_emulator.api_key, base_url=truemed_emulator.url, hooks=hooks) as client:
        with collector.tracer.start_as_current_span("batch") as batch:
            await asyncio.gather(*(client.qualification_sessions.get(session_id) for _ in range(5)))
            assert [outcome async for outcome in client.qualification_sessions.get_many([session_id])]
    calls = collector.named("qualification_sessions.get")
    assert {span.parent.span_id for span in calls} == {batch.get_span_context().span_id}
    assert len(calls) == 6


def test_hook_that_raises_changes_no_result(session_id, call, collector):
    def failing(_):
        raise ZeroDivisionError("mine")

    class Broken(ClientTelemetry):
        start_call = staticmethod(failing)

    class BrokenEnd(ClientTelemetry):
        def start_call(self, _):
            return failing

    def use(client):
        client = client.with_options(hooks=[Broken(**collector.providers), BrokenEnd(**collector.providers)])
        return client.qualification_sessions.get(session_id)

    assert call(use).status == "approved"


# ---- webhooks


@pytest.fixture(params=["sync", "sync, coroutine", "async", "async, function"])
def deliver(request, collector):
    """Return a function that delivers to a receiver of each kind, and a list of the spans that its handler saw."""
    seen = []

    def handle(event):
        seen.append(trace.get_current_span().get_span_context())
        if handle.error is not None:
            raise handle.error

    handle.error = None

    async def handle_async(event):
        await asyncio.sleep(0)
        handle(event)

    synchronous = request.param.startswith("sync")
    handler = handle if request.param in ("sync", "async, function") else handle_async
    receiver = (Receiver if synchronous else AsyncReceiver)(
        handler, secrets=SECRET, store=MemoryDedupStore(), hooks=[WebhookTelemetry(**collector.providers)]
    )

    def run(body, headers=None, *, error=None):
        handle.error = error
        result = receiver.receive(body, {**make_signed_headers(body), **(headers or {})})
        return asyncio.run(result) if asyncio.iscoroutine(result) else result

    run.seen = seen
    return run


def test_handler_runs_in_a_span_of_its_own_trace(deliver, collector):
    deliver(make_capture_body())
    (span,) = collector.spans
    assert (span.name, span.kind, span.parent, span.links) == (
        "process payment_session_complete",
        SpanKind.CONSUMER,
        None,
        (),
    )
    assert deliver.seen == [span.context]
    assert dict(span.attributes) == {
        "truemed.webhook.event_type": "payment_session_complete",
        "truemed.webhook.status": "handled",
    }


def test_span_continues_the_trace_of_the_delivery(deliver, collector):
    deliver(make_capture_body(), {"Traceparent": TRACEPARENT, "TraceState": "vendor=1"})
    (span,) = collector.spans
    assert (span.parent.trace_id, span.parent.span_id, span.parent.is_remote) == (TRACE_ID, SPAN_ID, True)
    assert deliver.seen == [span.context]


def test_span_is_the_child_of_the_frameworks_and_linked_with_the_delivery(deliver, collector):
    with collector.tracer.start_as_current_span("POST /webhooks/truemed") as server:
        deliver(make_capture_body(), {"traceparent": TRACEPARENT})
        assert trace.get_current_span() is server
    (span,) = collector.named("process payment_session_complete")
    assert span.parent.span_id == server.get_span_context().span_id
    assert [(link.context.trace_id, link.context.span_id) for link in span.links] == [(TRACE_ID, SPAN_ID)]


def test_span_has_no_link_into_its_own_trace(deliver, collector):
    parent = trace.set_span_in_context(
        trace.NonRecordingSpan(trace.SpanContext(TRACE_ID, SPAN_ID, is_remote=True, trace_flags=trace.TraceFlags(1)))
    )
    with collector.tracer.start_as_current_span("POST /webhooks/truemed", parent):
        deliver(make_capture_body(), {"traceparent": TRACEPARENT})
    (span,) = collector.named("process payment_session_complete")
    assert (span.context.trace_id, span.links) == (TRACE_ID, ())


@pytest.mark.parametrize("traceparent", ["", "nonsense", f"00-{0:032x}-{SPAN_ID:016x}-01", ["a", "b"]])
def test_invalid_traceparent_is_ignored(deliver, collector, traceparent):
    assert deliver(make_capture_body(), {"traceparent": traceparent}).status == "handled"
    (span,) = collector.spans
    assert (span.parent, span.links) == (None, ())


def test_failing_handler_ends_the_span_with_the_class_of_its_error(deliver, collector):
    result = deliver(make_capture_body(), error=RuntimeError(EMAIL))
    assert result.status == "failed"
    (span,) = collector.spans
    assert (span.attributes["error.type"], span.attributes["truemed.webhook.status"]) == ("RuntimeError", "failed")
    assert (span.status.status_code, span.status.description, span.events) == (StatusCode.ERROR, None, ())


def test_refused_delivery_has_no_span_and_is_counted(deliver, collector):
    assert (
        deliver(make_capture_body(), {"X-Truemed-Signature": "t=1,v1=00", "traceparent": TRACEPARENT}).status
        == "refused"
    )
    assert collector.spans == ()
    ((attributes, point),) = collector.points("truemed.webhook.results")
    assert (attributes, point.value) == ({"truemed.webhook.status": "refused"}, 1)


def test_results_are_counted_by_status_and_type(deliver, collector):
    for body in (make_capture_body(1), make_capture_body(1), make_capture_body(2), make_body({"a": 1}, EMAIL)):
        deliver(body)
    counts = {
        (found["truemed.webhook.status"], found["truemed.webhook.event_type"]): point.value
        for found, point in collector.points("truemed.webhook.results")
    }
    known = "payment_session_complete"
    assert counts == {("handled", known): 2, ("duplicate", known): 1, ("handled", "unknown"): 1}
    assert leaks(collector.text()) == []


async def test_interrupted_event_ends_its_span(collector):
    started = asyncio.Event()

    async def handle(event):
        started.set()
        await asyncio.Event().wait()

    receiver = AsyncReceiver(handle, secrets=SECRET, store=None, hooks=[WebhookTelemetry(**collector.providers)])
    body = make_capture_body()
    task = asyncio.create_task(receiver.receive(body, make_signed_headers(body)))
    await started.wait()
    (inner,) = receiver._tasks
    inner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (span,) = collector.spans
    assert span.attributes["error.type"] == "CancelledError"
    assert "truemed.webhook.status" not in span.attributes


def test_events_without_delivery_have_spans(collector):
    receiver = Receiver(
        lambda event: None, secrets=SECRET, store=MemoryDedupStore(), hooks=[WebhookTelemetry(**collector.providers)]
    )
    events = []
    body = make_capture_body()
    Receiver(events.append, secrets=SECRET, store=None).receive(body, make_signed_headers(body))
    receiver.handle_events(events)
    (span,) = collector.spans
    assert span.attributes["truemed.webhook.status"] == "handled"


def test_event_hook_that_raises_changes_no_result(caplog):
    def failing(*_):
        raise ZeroDivisionError("mine")

    class Broken:
        start_event = staticmethod(failing)

        def __call__(self, result):
            pass

    class BrokenEnd(Broken):
        start_event = staticmethod(lambda *_: failing)

    body = make_capture_body()
    receiver = Receiver(lambda event: None, secrets=SECRET, store=None, hooks=[Broken(), BrokenEnd()])
    assert receiver.receive(body, make_signed_headers(body)).status == "handled"
    messages = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert messages == ["a hook of truemed_async.webhooks raised"] * 2


# ---- privacy and cost


def test_no_span_and_no_metric_contains_personal_data(collector):
    async def run():
        session = {"qualification_session_id": "qs_1", "status": "approved", "email": EMAIL, "user_name": NAME}
        client, _ = make_client(session, (400, {"error": "ValidationError", "message": f"{NAME} {EMAIL} {KEY}"}))
        client = client.with_options(hooks=[ClientTelemetry(**collector.providers)])
        await client.qualification_sessions.get("qs_canaryid1")
        with pytest.raises(errors.CallError):
            await client.qualification_sessions.update("qs_canaryid2", user_id=USER_ID)

    asyncio.run(run())
    body = make_body({**PAYMENT_SESSION, "metadata": f"{USER_NAME} {USER_ID}"}, "payment_session_complete")

    def handle(event):
        raise ValueError(f"{EMAIL} {NAME}")

    receiver = Receiver(handle, secrets=SECRET, store=None, hooks=[WebhookTelemetry(**collector.providers)])
    assert receiver.receive(body, {**make_signed_headers(body), "baggage": f"user={EMAIL}"}).status == "failed"
    assert len(collector.spans) == 5
    text = collector.text()
    assert "qualification_sessions.get" in text
    assert leaks(text) == []
    assert not [word for word in (SECRET, "canaryid", PAYMENT_SESSION["payment_session_id"]) if word in text]


def test_default_providers_are_the_global_ones(session_id, monkeypatch, collector, truemed_emulator):
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", collector.tracers)
    with Truemed(truemed_emulator.api_key, base_url=truemed_emulator.url, hooks=[ClientTelemetry()]) as client:
        client.qualification_sessions.get(session_id)
    assert len(collector.spans) == 2
