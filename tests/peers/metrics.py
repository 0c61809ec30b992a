"""Reads a page of metrics with Prometheus' own parser, and prints its samples as JSON: "NAME LABEL=VALUE" to number."""

import json
import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

with urllib.request.urlopen(sys.argv[1]) as answer:
    page = answer.read().decode()
samples = {}
for family in text_string_to_metric_families(page):
    for sample in family.samples:
        labels = " ".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
        samples[f"{sample.name} {labels}".rstrip()] = sample.value
print(json.dumps(samples))
