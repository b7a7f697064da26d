"""JSON of any Python value: always valid, never above a bound, at a cost that follows the bound and not the value."""

from otel_callbacks._json.binary import data_url, decoded_size
from otel_callbacks._json.bounds import Fitted, Scrub, cut_text, dumps, fit, plain
from otel_callbacks._json.encoding import Json, encode

__all__ = ["Fitted", "Json", "Scrub", "cut_text", "data_url", "decoded_size", "dumps", "encode", "fit", "plain"]
