"""OpenTelemetry: one GenAI span for each finished interaction, made from the facts of its entry, never from its texts.

On only when the extra `otel` is installed and `OTEL_EXPORTER_OTLP_ENDPOINT` (or `..._TRACES_ENDPOINT`) is set; off, the
request path is unchanged. The guard knows nothing of it: the journal it is given also shows each entry to the exporter,
after the entry was taken. Spans are sent by a thread of their own from a bounded queue; when the collector is away they
are dropped, and no answer waits. Attribute names: opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans.
"""

import importlib.util
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from handrail.ledger.entry import Entry, EntryKind, InteractionFacts
from handrail.ledger.store import Commit, Journal

T = TypeVar("T")
log = logging.getLogger("handrail.telemetry")

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
EMBEDDINGS = "embeddings"


class Observed:
    """`ledger.store.Journal` that also shows what it took to `seen`."""

    def __init__(self, journal: Journal, seen: Callable[[Entry], None]) -> None:
        self._journal = journal
        self._seen = seen

    async def run(self, command: Callable[[Any], T]) -> T:
        return await self._journal.run(command)

    async def record(self, entry: Entry) -> None:
        await self._journal.record(entry)
        self._seen(entry)

    def commit(self, entry: Entry) -> Commit:
        commit = self._journal.commit(entry)
        commit.add_done_callback(lambda ended: None if ended.exception() else self._seen(entry))
        return commit

    def queue(self, entry: Entry) -> None:
        self._journal.queue(entry)
        self._seen(entry)

    def beside(self, command: Callable[[Any], object]) -> None:
        self._journal.beside(command)

    async def close(self) -> None:
        await self._journal.close()


class Spans:
    """Turns entries into spans. Made after the fork: it starts a thread."""

    def __init__(self, endpoint: str, *, version: str) -> None:
        """`endpoint`: the whole address for traces."""
        # deferred: without the extra none of these exists, and nobody without tracing pays for their import
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = Resource.create({"service.name": "handrail", "service.version": version})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        self._tracer = self._provider.get_tracer("handrail", version)
        self._parent = TraceContextTextMapPropagator()
        self._kind = SpanKind.CLIENT
        self._failed = Status(StatusCode.ERROR)

    def seen(self, entry: Entry) -> None:
        """A span for a finished interaction; nothing for any other entry."""
        if entry.kind is not EntryKind.INTERACTION_CLOSED or not isinstance(entry.facts, InteractionFacts):
            return
        facts = entry.facts
        given = attributes(facts, str(entry.release or ""))
        span = self._tracer.start_span(
            f"{given['gen_ai.operation.name']} {facts.model}".strip(),
            context=self._parent.extract({"traceparent": facts.trace}),
            kind=self._kind,
            attributes=given,
            start_time=(entry.at_ms - facts.latency_ms) * 1_000_000,
        )
        if facts.error:
            span.set_status(self._failed)
        span.end(entry.at_ms * 1_000_000)

    def close(self) -> None:
        """Send what waits; blocks, some seconds at most when the collector is away."""
        self._provider.shutdown()


def attributes(facts: InteractionFacts, release: str) -> dict[str, str | int | bool]:
    """Of one span. Ids, codes and counts only; empty ones are left out."""
    given: dict[str, str | int | bool] = {
        "gen_ai.operation.name": EMBEDDINGS if facts.route.endswith(EMBEDDINGS) else "chat",
        "gen_ai.provider.name": facts.provider,
        "gen_ai.request.model": facts.model,
        "gen_ai.conversation.id": facts.conversation,
        "gen_ai.usage.input_tokens": facts.input_tokens,
        "gen_ai.usage.output_tokens": facts.output_tokens,
        "error.type": facts.error,
        "handrail.interaction": facts.interaction,
        "handrail.use_case": facts.use_case,
        "handrail.release": release,
        "handrail.route": facts.route,
        "handrail.channel": facts.channel,
        "handrail.verdict": facts.verdict.value,
        "handrail.would_be": facts.would_be.value if facts.would_be else "",
        "handrail.outcome": facts.outcome.value if facts.outcome else "",
        "handrail.findings": sum(found.new for found in facts.findings),
        "handrail.stream": facts.stream,
    }
    return {name: value for name, value in given.items() if value != ""}


def spans(env: Mapping[str, str], *, version: str) -> Spans | None:
    """None when no collector is named, or the extra is missing, which is said in the log."""
    endpoint = env.get(TRACES_ENDPOINT, "").strip()
    base = env.get(ENDPOINT, "").strip()
    if not endpoint and not base:
        return None
    if importlib.util.find_spec("opentelemetry") is None:
        log.warning("telemetry.off", extra={"reason": "install handrail[otel], or unset the endpoint"})
        return None
    return Spans(endpoint or f"{base.rstrip('/')}/v1/traces", version=version)
