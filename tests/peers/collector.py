"""A collector of traces: OTLP over HTTP on aiohttp, read by OpenTelemetry's own protobuf classes.

Prints "listening on http://127.0.0.1:PORT"; then for each span a line "span JSON", with its name, kind, ids, status, times,
attributes, those of its resource, and under "unknown" the names of attributes that are neither in OpenTelemetry's semantic
conventions nor begin with "wiretalk.". For each request that is refused it prints "refused STATUS". Answers with 503 to so
many requests first as --refuse says. It ends when its standard input does.
"""

import argparse
import asyncio
import importlib
import json
import pkgutil
import sys

import opentelemetry.semconv._incubating.attributes as registry
from aiohttp import web
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

PROTOBUF = "application/x-protobuf"


def conventions():
    """The names of all attributes that OpenTelemetry knows."""
    for module in pkgutil.iter_modules(registry.__path__, registry.__name__ + "."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if name.isupper() and isinstance(value, str):
                yield value


KNOWN = set(conventions())


def attributes(pairs):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def told(span, resource):
    found = attributes(span.attributes)
    names = [*found, *resource]
    return {
        "name": span.name,
        "kind": Span.SpanKind.Name(span.kind),
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "status": Status.StatusCode.Name(span.status.code),
        "why": span.status.message,
        "took": span.end_time_unix_nano - span.start_time_unix_nano,
        "attributes": found,
        "resource": resource,
        "unknown": [name for name in names if name not in KNOWN and not name.startswith("wiretalk.")],
    }


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--refuse", type=int, default=0)
    options = parser.parse_args()
    left = options.refuse

    async def take(request):
        nonlocal left
        if left > 0:
            left -= 1
            print("refused 503", flush=True)
            return web.Response(status=503)
        if request.content_type != PROTOBUF:
            print("refused 415", flush=True)
            return web.Response(status=415)
        try:
            traces = ExportTraceServiceRequest.FromString(await request.read())
        except DecodeError:
            print("refused 400", flush=True)
            return web.Response(status=400)
        for of_resource in traces.resource_spans:
            resource = attributes(of_resource.resource.attributes)
            for scope in of_resource.scope_spans:
                for span in scope.spans:
                    print("span", json.dumps(told(span, resource)), flush=True)
        body = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=body, content_type=PROTOBUF)

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    print(f"listening on http://127.0.0.1:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
