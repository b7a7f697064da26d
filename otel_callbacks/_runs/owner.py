"""What all runs of one handler share: its options, and what is built from them."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from otel_callbacks._content.identities import Identities
from otel_callbacks._mapping.records import Ending
from otel_callbacks.config import Config

if TYPE_CHECKING:
    from otel_callbacks._content.redaction import Redactor
    from otel_callbacks._metrics.prices import Prices
    from otel_callbacks.types import RunSummary


class Owner:
    """Stands for the handler that records a run; the same events reaching another handler are ignored.

    Args:
        config: The handler's options.
        cancelled: The ending of runs whose body is over but which got no end event.
        count_redaction: Called with a rule's name and the number of values it removed.
    """

    def __init__(self, config: Config, cancelled: Ending, count_redaction: Callable[[str, int], None]) -> None:
        # Loaded here rather than with the package, which stays light, or in a callback, where an event loop would wait.
        from otel_callbacks._content.redaction import redactor_for

        self.config = config
        self.cancelled = cancelled
        self.subscribers: dict[object, Callable[[RunSummary], object]] = {}
        self.prices = _prices(config)
        self.redactor = redactor_for(config.redact, count_redaction)
        """Removes secrets from content and metadata."""
        self.identities = Identities(self._load_rules, has_own_rules=bool(config.redact))
        self._redactor_for = partial(redactor_for, on_redaction=count_redaction)

    def _load_rules(self) -> "Redactor":
        """Return a redactor for names: without the application's callables, which may take long or fail."""
        rules = [entry for entry in self.config.redact if not callable(entry)]
        return self.redactor if len(rules) == len(self.config.redact) else self._redactor_for(rules)


def _prices(config: Config) -> "Prices | None":
    if not config.cost and not config.prices:
        return None
    from otel_callbacks._metrics.prices import Prices  # it may load a price list of megabytes

    return Prices(config.prices, listed=config.cost)
