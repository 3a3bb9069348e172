"""Spans and metrics of calls and webhooks, with OpenTelemetry (extra ``otel``). Nothing else imports this module.

:class:`ClientTelemetry` is a hook of a client, and :class:`WebhookTelemetry` a hook of a receiver. Names of spans,
attributes and metrics are those of the OpenTelemetry semantic conventions for HTTP where they have one, and begin with
``truemed.`` otherwise. No id, complete URL, header, body, message of an exception or other personal data is in them.
"""

from collections.abc import Callable, Mapping
from typing import Final

from truemed_async._extras import missing_extra

try:
    from opentelemetry import context, metrics, trace
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Link, SpanKind, StatusCode, TracerProvider
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    from opentelemetry.util.types import AttributeValue
except ModuleNotFoundError as _error:
    raise missing_extra(_error, "otel") from _error

from truemed_async._version import __version__
from truemed_async.options import Attempt, CallStart
from truemed_async.webhooks import DeliveryResult, DeliveryStatus, Event, UnknownEvent

__all__ = ["ClientTelemetry", "WebhookTelemetry"]

_SCOPE: Final = "truemed_async"
# The boundaries that the semantic conventions prescribe for http.client.request.duration, in seconds.
_DURATION_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


class ClientTelemetry:
    """A hook that writes a span for each call and each attempt, and the metrics of a client.

    Pass it as ``hooks=[ClientTelemetry()]``. The span of a call is the child of the caller's current span and the parent of
    the spans of its attempts. It also covers the waiting for a connection, for the rate limit and between attempts.
    Both end with their error as ``error.type``, which is ``CancelledError`` if the call was canceled.

    Spans and metrics are free of personal data: see :mod:`truemed_async.opentelemetry`. ``url.full``, which the semantic
    conventions require, is left out, because it contains ids.

    Args:
        tracer_provider: Creates the spans; by default the global one.
        meter_provider: Creates the metrics; by default the global one.
    """

    def __init__(
        self, *, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
    ) -> None:
        self._tracer = trace.get_tracer(_SCOPE, __version__, tracer_provider)
        meter = metrics.get_meter(_SCOPE, __version__, meter_provider)
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of attempts.",
            explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
        )
        self._retries = meter.create_counter(
            "truemed.client.retries", unit="{retry}", description="Failed attempts that are followed by another."
        )
        self._rate_limit_wait = meter.create_histogram(
            "truemed.client.rate_limit.wait.duration",
            unit="s",
            description="How long attempts were held back after a 429.",
            explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
        )

    def start_call(self, call: CallStart, /) -> Callable[[BaseException | None], None]:
        """Start the span of a call, and return the function that ends it."""
        span = self._tracer.start_span(call.endpoint, kind=SpanKind.INTERNAL, attributes=_request_attributes(call))
        token = context.attach(trace.set_span_in_context(span))

        def end(error: BaseException | None) -> None:
            context.detach(token)
            _end_span(span, error)

        return end

    def __call__(self, attempt: Attempt, /) -> None:
        """Write the span of an attempt, and record its metrics."""
        attributes = _request_attributes(attempt)
        if attempt.rate_limit_wait:
            self._rate_limit_wait.record(attempt.rate_limit_wait, attributes)
        if attempt.status is not None:
            attributes["http.response.status_code"] = attempt.status
        if attempt.error is not None:
            attributes["error.type"] = attempt.error
        self._duration.record(attempt.elapsed, attributes)
        if attempt.retry_in is not None:
            self._retries.add(1, attributes)

        start = round(attempt.started_at * 1e9)  # OpenTelemetry counts nanoseconds
        resends: Mapping[str, AttributeValue] = {}
        if attempt.number > 1:
            resends = {"http.request.resend_count": attempt.number - 1}
        span = self._tracer.start_span(
            f"{attempt.method} {attempt.route}",
            kind=SpanKind.CLIENT,
            attributes={**attributes, **resends},
            start_time=start,
        )
        if attempt.error is not None:
            span.set_status(StatusCode.ERROR)
        span.end(start + round(attempt.elapsed * 1e9))


class WebhookTelemetry:
    """A hook that writes a span for each event that a receiver processes, and counts the results.

    Pass it as ``hooks=[WebhookTelemetry()]``. The handler runs inside the span, so that spans of its own calls are children.
    The parent is the current span, usually that of the web framework; if there is none, the ``traceparent`` of the
    delivery. If both exist in different traces, the span has a link to the latter. Headers of a delivery whose signature
    is wrong are not used, and it gets no span; the metric counts it.

    Args:
        tracer_provider: Creates the spans; by default the global one.
        meter_provider: Creates the metric; by default the global one.
    """

    def __init__(
        self, *, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
    ) -> None:
        self._tracer = trace.get_tracer(_SCOPE, __version__, tracer_provider)
        self._results = metrics.get_meter(_SCOPE, __version__, meter_provider).create_counter(
            "truemed.webhook.results", unit="{event}", description="Deliveries and other events, by their status."
        )

    def start_event(
        self, event: Event, trace_headers: Mapping[str, str], /
    ) -> Callable[[DeliveryResult | BaseException], None]:
        """Start the span of an event, and return the function that ends it."""
        parent = context.get_current()
        current = trace.get_current_span(parent).get_span_context()
        remote = TraceContextTextMapPropagator().extract(trace_headers, context.Context())
        sender = trace.get_current_span(remote).get_span_context()
        links: list[Link] = []
        if not current.is_valid:
            parent = trace.set_span_in_context(trace.get_current_span(remote), parent)
        elif sender.is_valid and sender.trace_id != current.trace_id:
            links.append(Link(sender))
        event_type = _event_type(event)
        span = self._tracer.start_span(
            f"process {event_type}",
            parent,
            SpanKind.CONSUMER,
            {"truemed.webhook.event_type": event_type},
            links,
        )
        token = context.attach(trace.set_span_in_context(span, parent))

        def end(result: DeliveryResult | BaseException) -> None:
            context.detach(token)
            if isinstance(result, BaseException):
                _end_span(span, result)
            else:
                span.set_attribute("truemed.webhook.status", result.status.value)
                _end_span(span, result.error if result.status is DeliveryStatus.FAILED else None)

        return end

    def __call__(self, result: DeliveryResult, /) -> None:
        """Count a result."""
        attributes = {"truemed.webhook.status": result.status.value}
        if result.event is not None:
            attributes["truemed.webhook.event_type"] = _event_type(result.event)
        self._results.add(1, attributes)


def _request_attributes(request: CallStart | Attempt) -> dict[str, AttributeValue]:
    return {
        "http.request.method": request.method,
        "url.template": request.route,
        "server.address": request.server_address,
        "server.port": request.server_port,
    }


def _event_type(event: Event) -> str:
    """Return the type of an event. Unknown ones count as one type: their number has no limit."""
    return "unknown" if isinstance(event, UnknownEvent) else event.type.value


def _end_span(span: trace.Span, error: BaseException | None) -> None:
    """End a span. Of an error only the class is recorded: messages of exceptions may contain personal data."""
    if error is not None:
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(StatusCode.ERROR)
    span.end()
