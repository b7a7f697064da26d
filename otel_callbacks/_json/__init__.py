"""JSON of any Python value: always valid, never above a bound, at a cost that follows the bound and not the value."""

from otel_callbacks._json.binary import data_url, decoded_size
from otel_callbacks._json.bounds import dumps, plain
from otel_callbacks._json.encoding import Json, decode, encode
from otel_callbacks._json.scrub import NOTHING, Scrub

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
