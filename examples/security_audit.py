"""Security audit: a separate log, chained by hashes, of who called which tool with what outcome, without content.

run: python examples/security_audit.py
"""

import hashlib
import json

from langchain_core.tools import tool
from opentelemetry.sdk.trace import TracerProvider

from otel_callbacks import OTelCallbackHandler, RunSummary, context

journal: list[dict[str, str]] = []


def audit(run: RunSummary) -> None:
    """Add an entry per tool call; each holds the hash of the one before, so that none can be removed unnoticed."""
    if run.operation != "execute_tool":
        return
    entry = {
        "tool": run.run.name,
        "user": str(run.run.metadata.get("user", "unknown")),
        "outcome": run.outcome,
        "trace": run.trace_id,
        "before": journal[-1]["hash"] if journal else "",
    }
    entry["hash"] = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
    journal.append(entry)


@tool
def delete_account(name: str) -> str:
    """Delete an account."""
    return f"{name} is gone"


handler = OTelCallbackHandler(tracer_provider=TracerProvider())
handler.subscribe(audit)
for user in ("ada", "bob"):
    with context(metadata={"user": user}):
        delete_account.invoke({"name": "x"}, config={"callbacks": [handler]})
for entry in journal:
    print(entry["user"], entry["tool"], entry["outcome"], entry["hash"][:12])
