"""Prometheus text, as far as it is compared."""

import re

SERIES = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def read(text, *wanted):
    """(metric, labels as a sorted tuple of pairs) → the text of its value, of the metrics named."""
    found = {}
    for line in text.splitlines():
        if not line.startswith(wanted):
            continue
        series = SERIES.match(line)
        if series is None:
            raise ValueError(f"not a series: {line[:200]}")
        metric, labels, value = series.groups()
        if metric in wanted:
            pairs = ((name, re.sub(r"\\.", lambda escape: ESCAPES[escape.group()], text)) for name, text in LABEL.findall(labels or ""))
            found[metric, tuple(sorted(pairs))] = value
    return found
