"""The options of the package and the environment variables that set them."""

import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal, get_args

from otel_callbacks import semconv
from otel_callbacks.types import Price, RunInfo

logger = logging.getLogger("otel_callbacks")

Detail = Literal["operations", "steps", "all"]
Semconv = Literal["py-1.3", "0.1.0"]
Capture = Literal["no_content", "span_only", "event_only", "span_and_event"]

PREFIX = "OTEL_CALLBACKS_"
STABILITY_VARIABLE = "OTEL_SEMCONV_STABILITY_OPT_IN"
LATEST_OPT_IN = "gen_ai_latest_experimental"
CAPTURE_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
DISABLED_VARIABLE = "OTEL_SDK_DISABLED"

PRICE_PACKAGE = "genai_prices"

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


@dataclass(frozen=True, kw_only=True)
class Config:
    """How runs become telemetry. Immutable; `Config(...)` reads no environment, `Config.from_env()` does.

    Every option except the callables is also an environment variable ``OTEL_CALLBACKS_<OPTION>``.

    Raises:
        ValueError: A value is invalid; the message names the valid ones.
    """

    detail: Detail = "steps"
    """Which runs get a span. "operations": models, tools, retrievers, agents, workflows. "steps": also LangGraph
    nodes and tasks, named sub-graphs and named chains; hooks of middleware only if they did something, and chains that
    nobody named only if they fail. "all": every run, prompts, parsers and plumbing included."""

    semconv: Semconv = "py-1.3"
    """Release of the GenAI conventions to follow. "py-1.3": what OpenTelemetry's own Python packages emit.
    "0.1.0": the first release of the separate GenAI conventions, also chosen by
    ``OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental``."""

    capture: Capture = "no_content"
    """Where content goes: prompts, answers, tool arguments and results, documents, inputs and outputs of steps,
    exception messages. "span_only": attributes and events of spans. "event_only": the log event
    ``gen_ai.client.inference.operation.details`` of model calls. "span_and_event": both. Also chosen by
    ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT``."""

    capture_when: Callable[[RunInfo], bool] | None = field(default=None, metadata={"env": False})
    """Called for each run: False keeps its content back. Not called where nothing is captured."""

    max_content_bytes: int = 16 * 1024
    """Limit of a captured value, in bytes of UTF-8. A longer one is shortened to valid JSON that states its size."""

    redact: tuple[str | re.Pattern[str] | Callable[[str], str], ...] = ()
    """What to remove from content and metadata besides keys, tokens, credentials and card numbers: the names "email",
    "phone", "ip_address", "iban" and "us_ssn", compiled regular expressions (`re.compile`), callables. If a callable
    fails or is slow, the value is dropped. As a variable: names only, comma-separated."""

    cost: bool = False
    """Report what model calls cost, in USD, by the prices of the package ``genai-prices`` (extra ``cost``)."""

    prices: Mapping[str, Price] = field(default_factory=dict, hash=False, metadata={"env": False})
    """Your own prices by model name; they override listed ones and need no extra."""

    metadata_keys: tuple[str, ...] = ()
    """Keys of run metadata to export as ``langchain.metadata.<key>`` on spans. As a variable: comma-separated."""

    propagate: bool = True
    """Make each run's span current while its body runs, so that HTTP, database and your own spans nest under it."""

    remote_parent: bool = False
    """Let a root run join the trace named by ``metadata={"traceparent": ...}`` (W3C Trace Context)."""

    chunk_metrics: bool = False
    """Record the time between streamed chunks; one measurement per chunk."""

    suppress_provider_spans: bool = False
    """Keep other GenAI instrumentations, if they can be suppressed, from making a second span of each model call.
    HTTP spans and trace headers stay. Needs `propagate`."""

    cancel_is_error: bool = False
    """Give cancelled runs status ERROR and ``error.type``."""

    run_ttl_s: float = 3600.0
    """A tree of runs without any event for this many seconds is closed as abandoned."""

    max_open_runs: int = 10_000
    """Above this many open runs, those of the idlest tree are closed as abandoned, children before parents."""

    filter: Callable[[RunInfo], bool] | None = field(default=None, metadata={"env": False})
    """Called for each run: False hides it, so that it has no span and its children move up to the next visible run.
    Root runs are never hidden."""

    def __post_init__(self) -> None:
        for name, requirement in _CHOICES.items():
            _require_choice(name, getattr(self, name), requirement)
        for name in _SWITCHES:
            _require(isinstance(getattr(self, name), bool), name, getattr(self, name), "True or False")
        _require(_is_positive(self.run_ttl_s), "run_ttl_s", self.run_ttl_s, "seconds above 0")
        _require(_is_whole(self.max_open_runs), "max_open_runs", self.max_open_runs, "a whole number above 0")
        _require(_are_texts(self.metadata_keys), "metadata_keys", self.metadata_keys, "a sequence of strings")
        # The class is frozen: its own assignment would raise.
        object.__setattr__(self, "metadata_keys", tuple(self.metadata_keys))
        _require(_are_prices(self.prices), "prices", self.prices, "a mapping of model names to Price")
        object.__setattr__(self, "prices", dict(self.prices))
        _require(_is_whole(self.max_content_bytes), "max_content_bytes", self.max_content_bytes, "bytes above 0")
        for name in _CALLABLES:
            value = getattr(self, name)
            _require(value is None or callable(value), name, value, "a callable, or None")
        object.__setattr__(self, "redact", _require_redactors(self.redact))

    def without_callables(self) -> "Config":
        """Return the same options without callables, which cannot be pickled. Warn once if any is dropped."""
        dropped = [option.name for option in fields(self) if _holds_callable(getattr(self, option.name))]
        if dropped:
            _warn_dropped(tuple(dropped))
        changes: dict[str, Any] = dict.fromkeys(dropped)
        if "redact" in dropped or "capture_when" in dropped:
            changes["capture"] = "no_content"  # what kept content back is gone
        if "redact" in dropped:
            changes["redact"] = tuple(entry for entry in self.redact if not callable(entry))
        return replace(self, **changes)

    @classmethod
    def from_env(cls, **overrides: Any) -> "Config":
        """Read ``OTEL_CALLBACKS_<OPTION>`` and the standard variables; `overrides` win over both.

        An invalid value in the environment logs one warning that names the valid ones, and the default applies.

        Raises:
            ValueError: A value in `overrides` is invalid.
            TypeError: `overrides` holds an unknown option.
        """
        values = _standard_variables(os.environ) | _own_variables(os.environ)
        config = cls(**(values | overrides))
        if STABILITY_VARIABLE in os.environ:
            _log_dialect(config.semconv)
        return config


_CHOICES: dict[str, tuple[str, ...]] = {
    "detail": get_args(Detail),
    "semconv": get_args(Semconv),
    "capture": get_args(Capture),
}
_CALLABLES = ("filter", "capture_when")
PERSONAL_RULES = ("email", "phone", "ip_address", "iban", "us_ssn")
"""Redaction rules that apply on request only."""
_SWITCHES = ("propagate", "remote_parent", "chunk_metrics", "suppress_provider_spans", "cancel_is_error", "cost")


@cache
def _warn_dropped(options: tuple[str, ...]) -> None:
    logger.warning("pickling a handler leaves out its callables: %s", ", ".join(options))


@cache
def _log_dialect(dialect: str) -> None:
    logger.info("semantic conventions: %s (%s is set)", dialect, STABILITY_VARIABLE)


def sdk_disabled() -> bool:
    """Tell whether ``OTEL_SDK_DISABLED`` is "true" in any case, as OpenTelemetry's specification defines it."""
    return os.environ.get(DISABLED_VARIABLE, "").strip().lower() == "true"


def require_capture(where: object) -> None:
    """Check a value of `Config.capture`.

    Raises:
        ValueError: The value is invalid; the message names the valid ones.
    """
    _require_choice("capture", where, _CHOICES["capture"])


def _require_redactors(redact: object) -> tuple[Any, ...]:
    """Return the entries as a tuple. A text must name a rule: as a pattern, a mistyped name would match nothing."""
    requirement = f"a sequence of rule names ({', '.join(PERSONAL_RULES)}), compiled regular expressions and callables"
    _require(isinstance(redact, (list, tuple)), "redact", redact, requirement)
    entries: tuple[Any, ...] = tuple(redact)  # type: ignore[arg-type]
    for entry in entries:
        if isinstance(entry, str):
            _require_rule(entry)
        else:
            _require(_is_text_pattern(entry) or callable(entry), "redact", entry, requirement)
    return entries


def _require_rule(name: str) -> None:
    if name not in PERSONAL_RULES:
        meant = _rule_like(name)
        guess = f"did you mean {meant!r}? " if meant else ""
        choices = ", ".join(PERSONAL_RULES)
        message = f"redact={name!r}: {guess}must be one of {choices}; a pattern must be compiled with re.compile"
        raise ValueError(message)


def _rule_like(name: str) -> str | None:
    """Return the rule that a mistyped name stands for, if any is like it."""
    from difflib import get_close_matches  # not worth its import where no name is wrong

    low = name.lower().replace("-", "_")
    parts = [rule for rule in PERSONAL_RULES if low and (low in rule or rule in low)]
    return next(iter(get_close_matches(low, PERSONAL_RULES, n=1) or parts), None)


def _is_text_pattern(value: object) -> bool:
    return isinstance(value, re.Pattern) and isinstance(value.pattern, str)


def _holds_callable(value: object) -> bool:
    return callable(value) or (isinstance(value, tuple) and any(map(callable, value)))


def _require_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    _require(value in choices, name, value, "one of " + ", ".join(choices))


def _require(holds: object, name: str, value: object, requirement: str) -> None:
    if not holds:
        message = f"{name}={value!r}: must be {requirement}"
        raise ValueError(message)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and _is_positive(value)


def _are_prices(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(price, Price) for name, price in value.items()
    )


def _are_texts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(entry, str) for entry in value)


def _is_positive(value: object) -> bool:
    # To Python, True is an integer.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def _standard_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    opt_ins = {entry.strip() for entry in environ.get(STABILITY_VARIABLE, "").split(",")}
    if LATEST_OPT_IN in opt_ins:
        values["semconv"] = semconv.LATEST_DIALECT
    if CAPTURE_VARIABLE in environ:
        _store_parsed(values, CAPTURE_VARIABLE, "capture", environ[CAPTURE_VARIABLE], _parser("capture"))
    return values


def _own_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for option in fields(Config):
        variable = PREFIX + option.name.upper()
        if variable in environ and option.metadata.get("env", True):
            _store_parsed(values, variable, option.name, environ[variable], _parser(option.name))
    if values.get("cost") and find_spec(PRICE_PACKAGE) is None:
        logger.warning("%sCOST ignored: needs pip install 'otel-callbacks[cost]'", PREFIX)
        del values["cost"]
    return values


def _store_parsed(values: dict[str, Any], variable: str, option: str, text: str, parse: Callable[[str], Any]) -> None:
    """Put the parsed value into `values`, or warn and leave it out."""
    try:
        parsed = parse(text.strip())
        # Checked alone, so that one invalid variable does not cost the others.
        Config(**{option: parsed})
    except ValueError as error:
        logger.warning("%s ignored: %s", variable, error)
        if option == "capture":
            values[option] = "no_content"  # whatever another variable says: when in doubt, nothing leaves
    else:
        values[option] = parsed


def _parser(option: str) -> Callable[[str], Any]:
    if option in _CHOICES:
        return _choice(_CHOICES[option])
    if option in _SWITCHES:
        return _switch
    return _OTHER_PARSERS[option]


def _choice(choices: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        value = text.lower()
        if value not in choices:
            message = f"{text!r} is not one of " + ", ".join(choices)
            raise ValueError(message)
        return value

    return parse


def _switch(text: str) -> bool:
    value = text.lower()
    if value not in _TRUE | _FALSE:
        message = f"{text!r} is not true or false"
        raise ValueError(message)
    return value in _TRUE


def _personal_rules(text: str) -> tuple[str, ...]:
    """Return the rules that exist, and warn about each other name: one mistake must not switch the rest off."""
    names = []
    for name in map(str.lower, _keys(text)):
        try:
            _require_rule(name)
        except ValueError as error:
            logger.warning("%sREDACT: %s", PREFIX, error)
        else:
            names.append(name)
    return tuple(names)


def _keys(text: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in text.split(",") if key.strip())


_OTHER_PARSERS: dict[str, Callable[[str], Any]] = {
    "metadata_keys": _keys,
    "redact": _personal_rules,
    "max_content_bytes": int,
    "run_ttl_s": float,
    "max_open_runs": int,
}
