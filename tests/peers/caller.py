"""Prints the headers that name a trace, made by OpenTelemetry's own propagator: "NAME: VALUE".

caller.py TRACE SPAN [STATE], both in hex
"""

import sys

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

trace_id, span_id = (int(text, 16) for text in sys.argv[1:3])
state = TraceState.from_header(sys.argv[3:])
context = SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED), trace_state=state)
headers = {}
TraceContextTextMapPropagator().inject(headers, trace.set_span_in_context(NonRecordingSpan(context)))
for name, value in headers.items():
    print(f"{name}: {value}")
