"""JSON of any Python value: always valid, never above a bound, at a cost that follows the bound and not the value."""

from otel_callbacks._content.json.binary import data_url, decoded_size
from otel_callbacks._content.json.bounds import dumps, plain
from otel_callbacks._content.json.encoding import Json, decode, encode
from otel_callbacks._content.json.scrub import NOTHING, Scrub

__all__ = [
    "NOTHING",
    "Json",
    "Scrub",
    "data_url",
    "decode",
    "decoded_size",
    "dumps",
    "encode",
    "plain",
]
