"""JSON of any Python value: always valid, never larger than its bound, at a cost set by the bound, not by the value."""

from otel_callbacks._content.json.binary import data_url, decoded_size
from otel_callbacks._content.json.bounds import dumps, plain
from otel_callbacks._content.json.encoding import Json, decode, encode
from otel_callbacks._content.json.redactor import NO_REDACTION, ContentRedactor

__all__ = [
    "NO_REDACTION",
    "ContentRedactor",
    "Json",
    "data_url",
    "decode",
    "decoded_size",
    "dumps",
    "encode",
    "plain",
]
