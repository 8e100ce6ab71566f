"""Spans as OTLP has them, in JSON and in protobuf, made by hand from the public specification."""

import json
import struct

CLIENT = 3
SCOPE = ("soak", "1")


class Span:
    def __init__(self, name, trace, span, parent, begin_ns, end_ns, attributes):
        self.name, self.trace, self.span, self.parent = name, trace, span, parent
        self.begin_ns, self.end_ns, self.attributes = begin_ns, end_ns, attributes


def as_json(resource, spans):
    def attributes(pairs):
        return [{"key": key, "value": json_value(value)} for key, value in pairs.items()]

    told = [
        {
            "traceId": span.trace.hex(),
            "spanId": span.span.hex(),
            "parentSpanId": span.parent.hex(),
            "name": span.name,
            "kind": CLIENT,
            "startTimeUnixNano": str(span.begin_ns),
            "endTimeUnixNano": str(span.end_ns),
            "attributes": attributes(span.attributes),
        }
        for span in spans
    ]
    scope = {"scope": {"name": SCOPE[0], "version": SCOPE[1]}, "spans": told}
    body = {"resourceSpans": [{"resource": {"attributes": attributes(resource)}, "scopeSpans": [scope]}]}
    return json.dumps(body).encode()


def json_value(value):
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"stringValue": value}


def as_protobuf(resource, spans):
    told = b""
    for span in spans:
        fields = field(1, span.trace) + field(2, span.span) + (field(4, span.parent) if span.parent else b"")
        fields += field(5, span.name.encode()) + tag(6, 0) + varint(CLIENT)
        fields += tag(7, 1) + struct.pack("<Q", span.begin_ns) + tag(8, 1) + struct.pack("<Q", span.end_ns)
        told += field(2, fields + attributes_of(9, span.attributes))
    scope = field(1, field(1, SCOPE[0].encode()) + field(2, SCOPE[1].encode()))
    return field(1, field(1, attributes_of(1, resource)) + field(2, scope + told))


def attributes_of(number, pairs):
    return b"".join(field(number, field(1, key.encode()) + field(2, protobuf_value(value))) for key, value in pairs.items())


def protobuf_value(value):
    if isinstance(value, float):
        return tag(4, 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return tag(3, 0) + varint(value)
    return field(1, value.encode())


def field(number, content):
    return tag(number, 2) + varint(len(content)) + content


def tag(number, wire_type):
    return varint(number << 3 | wire_type)


def varint(value):
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
