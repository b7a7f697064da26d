"""PromQL taken apart as far as tests need: the series and labels that an expression reads."""

import re
from typing import NamedTuple

_OPERATORS = {"by", "and", "or", "unless", "on", "ignoring", "offset", "bool", "without", "group_left", "group_right"}
_AGGREGATIONS = {"sum", "min", "max", "avg", "group", "count"}
_OVER_TIME = {"rate", "increase", "avg_over_time", "count_over_time", "present_over_time"}
_WORDS = _OPERATORS | _AGGREGATIONS | _OVER_TIME | {"histogram_quantile", "label_replace", "time"}


class Reading(NamedTuple):
    """Series by name, name patterns, labels matched and labels grouped by, of one expression."""

    series: set[str]
    patterns: set[str]
    matched: set[str]
    grouped: set[str]


def read(expression: str) -> Reading:
    """Return what an expression reads."""
    patterns = set(re.findall(r'__name__=~"([^"]*)"', expression))
    bare = re.sub(r'"[^"]*"', '""', expression)
    grouped = {label for clause in re.findall(r"\bby \(([^)]*)\)", bare) for label in re.split(r",\s*", clause)}
    matched = {
        label for braces in re.findall(r"\{([^}]*)\}", bare) for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", braces)
    }
    rest = re.sub(r"\bby \([^)]*\)|\{[^}]*\}|\[[^]]*\]", " ", bare)
    series = set(re.findall(r"(?<![\w.$])[a-zA-Z_][\w:]*", rest)) - _WORDS
    return Reading(series, patterns, matched - {"__name__"}, grouped)
