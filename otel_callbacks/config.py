"""Every option and every environment variable of the package, named here and nowhere else."""

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
SAMPLER_VARIABLE = "OTEL_TRACES_SAMPLER"

PRICE_PACKAGE = "genai_prices"

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


@dataclass(frozen=True, kw_only=True)
class Config:
    """How runs become telemetry. Immutable; `Config(...)` reads no environment, `Config.from_env()` does.

    Every option is also an environment variable ``OTEL_CALLBACKS_<OPTION>``, callables apart.

    Raises:
        ValueError: a value is not one of the good ones; the message names those.
    """

    detail: Detail = "steps"
    """Which runs get a span. "operations": models, tools, retrievers, agents, workflows. "steps": also LangGraph
    nodes, sub-graphs, lambdas and named chains. "all": also prompts, parsers and plumbing."""

    semconv: Semconv = "py-1.3"
    """Release of the GenAI conventions to speak. "py-1.3": what OpenTelemetry's own Python packages emit.
    "0.1.0": the first release of the separate GenAI conventions, also chosen by
    ``OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental``."""

    capture: Capture = "no_content"
    """Where content goes, that is prompts, answers, tool arguments and results, documents, inputs and outputs of steps,
    exception messages. "span_only": attributes and events of spans. "event_only": the log event
    ``gen_ai.client.inference.operation.details`` of model calls. "span_and_event": both. Also chosen by
    ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT``."""

    capture_when: Callable[[RunInfo], bool] | None = field(default=None, metadata={"env": False})
    """False keeps the content of a run back. Not asked where nothing is captured."""

    max_content_bytes: int = 16 * 1024
    """Longest captured value, in bytes of UTF-8. Longer ones are shortened to valid JSON that tells the size."""

    redact: tuple[str | re.Pattern[str] | Callable[[str], str], ...] = ()
    """What to take out of content and metadata beside keys, tokens, credentials and card numbers: the names "email",
    "phone" and "ip_address", regular expressions, callables. A callable that fails or is slow has its value dropped.
    As a variable: names only, comma separated."""

    cost: bool = False
    """Tell what model calls cost, in USD, from the prices of the package ``genai-prices`` (extra ``cost``)."""

    prices: Mapping[str, Price] = field(default_factory=dict, hash=False, metadata={"env": False})
    """Own prices by model name; they win over listed ones and need no extra."""

    metadata_keys: tuple[str, ...] = ()
    """Keys of run metadata to export as ``langchain.metadata.<key>`` on spans. As a variable: comma separated."""

    propagate: bool = True
    """Make each run's span current while its body runs, so that HTTP, database and own spans nest under it."""

    remote_parent: bool = False
    """Let a root run join the trace named by ``metadata={"traceparent": ...}`` (W3C Trace Context)."""

    chunk_metrics: bool = False
    """Record the time between streamed chunks; one measurement per chunk."""

    suppress_provider_spans: bool = False
    """Keep other GenAI instrumentations that can be asked to be silent from making a second span of each model call.
    HTTP spans and trace headers live on. Needs `propagate`."""

    cancel_is_error: bool = False
    """Give cancelled runs status ERROR and ``error.type``."""

    run_ttl_s: float = 3600.0
    """A tree of runs without any event for this long, in seconds, is closed as abandoned."""

    max_open_runs: int = 10_000
    """More open runs than this, and the oldest leaves are closed as abandoned."""

    filter: Callable[[RunInfo], bool] | None = field(default=None, metadata={"env": False})
    """False hides a run: no span of its own, its children move up to the next visible run. Roots are never hidden."""

    def __post_init__(self) -> None:
        for name, good in _CHOICES.items():
            _require_choice(name, getattr(self, name), good)
        for name in _SWITCHES:
            _require(isinstance(getattr(self, name), bool), name, getattr(self, name), "True or False")
        _require(_is_positive(self.run_ttl_s), "run_ttl_s", self.run_ttl_s, "seconds above 0")
        _require(_is_whole(self.max_open_runs), "max_open_runs", self.max_open_runs, "a whole number above 0")
        _require(_are_texts(self.metadata_keys), "metadata_keys", self.metadata_keys, "a sequence of strings")
        object.__setattr__(self, "metadata_keys", tuple(self.metadata_keys))
        _require(_are_prices(self.prices), "prices", self.prices, "a mapping of model names to Price")
        object.__setattr__(self, "prices", dict(self.prices))
        _require(_is_whole(self.max_content_bytes), "max_content_bytes", self.max_content_bytes, "bytes above 0")
        for name in _CALLABLES:
            value = getattr(self, name)
            _require(value is None or callable(value), name, value, "a callable, or None")
        object.__setattr__(self, "redact", _require_redactors(self.redact))

    def without_callables(self) -> "Config":
        """The same options, callables dropped: what can be pickled. Warns once where something was dropped."""
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

        A wrong value in the environment costs one warning that names the good ones, and the default is used.

        Raises:
            ValueError: a wrong value in `overrides`.
            TypeError: an unknown option in `overrides`.
        """
        values = _standard_variables(os.environ) | _own_variables(os.environ)
        config = cls(**(values | overrides))
        if STABILITY_VARIABLE in os.environ:
            _say_dialect(config.semconv)
        return config


_CHOICES: dict[str, tuple[str, ...]] = {
    "detail": get_args(Detail),
    "semconv": get_args(Semconv),
    "capture": get_args(Capture),
}
_CALLABLES = ("filter", "capture_when")
PERSONAL_RULES = ("email", "phone", "ip_address")
"""Rules of redaction that have to be asked for."""
_SWITCHES = ("propagate", "remote_parent", "chunk_metrics", "suppress_provider_spans", "cancel_is_error", "cost")


@cache
def _warn_dropped(options: tuple[str, ...]) -> None:
    logger.warning("pickling a handler leaves out its callables: %s", ", ".join(options))


@cache
def _say_dialect(dialect: str) -> None:
    logger.info("semantic conventions: %s (%s is set)", dialect, STABILITY_VARIABLE)


def sdk_disabled() -> bool:
    """Whether ``OTEL_SDK_DISABLED`` is "true" (any case), as OpenTelemetry's specification has it."""
    return os.environ.get(DISABLED_VARIABLE, "").strip().lower() == "true"


def sampler_name() -> str:
    """Return what ``OTEL_TRACES_SAMPLER`` names, in lower case; "" where it is not set."""
    return os.environ.get(SAMPLER_VARIABLE, "").strip().lower()


def require_capture(where: object) -> None:
    """Check a value of `Config.capture`.

    Raises:
        ValueError: it is none of the good ones, which the message names.
    """
    _require_choice("capture", where, _CHOICES["capture"])


def _require_redactors(redact: object) -> tuple[Any, ...]:
    """Regular expressions are compiled once, here, so that a wrong one is known at once."""
    good = "a sequence of rule names (email, phone, ip_address), regular expressions and callables"
    _require(isinstance(redact, (list, tuple)), "redact", redact, good)
    entries: tuple[Any, ...] = tuple(redact)  # type: ignore[arg-type]
    for entry in entries:
        _require(isinstance(entry, (str, re.Pattern)) or callable(entry), "redact", entry, good)
        try:
            re.compile(entry) if isinstance(entry, str) else None
        except re.error as error:
            message = f"redact={entry!r}: no regular expression: {error}"
            raise ValueError(message) from None
    return entries


def _holds_callable(value: object) -> bool:
    return callable(value) or (isinstance(value, tuple) and any(map(callable, value)))


def _require_choice(name: str, value: object, good: tuple[str, ...]) -> None:
    _require(value in good, name, value, "one of " + ", ".join(good))


def _require(holds: object, name: str, value: object, good: str) -> None:
    if not holds:
        message = f"{name}={value!r}: must be {good}"
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
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def _standard_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    opt_ins = {entry.strip() for entry in environ.get(STABILITY_VARIABLE, "").split(",")}
    if LATEST_OPT_IN in opt_ins:
        values["semconv"] = semconv.LATEST_DIALECT
    if CAPTURE_VARIABLE in environ:
        _take(values, CAPTURE_VARIABLE, "capture", environ[CAPTURE_VARIABLE], _parser("capture"))
    return values


def _own_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for option in fields(Config):
        variable = PREFIX + option.name.upper()
        if variable in environ and option.metadata.get("env", True):
            _take(values, variable, option.name, environ[variable], _parser(option.name))
    if values.get("cost") and find_spec(PRICE_PACKAGE) is None:
        logger.warning("%sCOST ignored: needs pip install 'otel-callbacks[cost]'", PREFIX)
        del values["cost"]
    return values


def _take(values: dict[str, Any], variable: str, option: str, text: str, parse: Callable[[str], Any]) -> None:
    """Put the parsed value into `values`, or warn and leave it out."""
    try:
        parsed = parse(text.strip())
        Config(**{option: parsed})
    except ValueError as error:
        logger.warning("%s ignored: %s", variable, error)
        if option == "capture":
            values[option] = "no_content"  # whatever another variable asks for: in doubt nothing leaves
    else:
        values[option] = parsed


def _parser(option: str) -> Callable[[str], Any]:
    if option in _CHOICES:
        return _choice(_CHOICES[option])
    if option in _SWITCHES:
        return _switch
    return _OTHER_PARSERS[option]


def _choice(good: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        value = text.lower()
        if value not in good:
            message = f"{text!r} is not one of " + ", ".join(good)
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
    names = _keys(text)
    for name in names:
        _require_choice("redact", name, PERSONAL_RULES)
    return names


def _keys(text: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in text.split(",") if key.strip())


_OTHER_PARSERS: dict[str, Callable[[str], Any]] = {
    "metadata_keys": _keys,
    "redact": _personal_rules,
    "max_content_bytes": int,
    "run_ttl_s": float,
    "max_open_runs": int,
}
