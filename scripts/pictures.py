"""Makes the pictures of the README from real data: the demo's traces in the page that `otel-callbacks view` writes.

usage: python scripts/pictures.py      (needs Chromium)
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_PICTURES = _ROOT / "docs" / "pictures"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_TRACE = "invoke_agent support_agent"


def main() -> int:
    """Make them, and return the exit code."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        print(f"needs one of {', '.join(_BROWSERS)}")
        return 1
    _PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "otel_callbacks"]
        demo = [*command, "demo", "--json", "--capture", "span_only", "--out", folder]
        subprocess.run(demo, cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)
        _keep_one_trace(Path(folder) / "traces.jsonl")
        page = Path(folder) / "page.html"
        subprocess.run([*command, "view", str(Path(folder) / "traces.jsonl"), "-o", str(page)], cwd=_ROOT, check=True)
        _photograph(browser, page, _PICTURES / "view.png")
    return 0


def _keep_one_trace(file: Path) -> None:
    """Keep the agent's trace, so that the page opens on it; its exception events hold paths of this machine."""
    kept = []
    for line in file.read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        scopes = [scope for resource in document["resourceSpans"] for scope in resource["scopeSpans"]]
        roots = {span["traceId"] for scope in scopes for span in scope["spans"] if span["name"] == _TRACE}
        for scope in scopes:
            scope["spans"] = [{**span, "events": []} for span in scope["spans"] if span["traceId"] in roots]
        kept.append(json.dumps(document))
    file.write_text("\n".join(kept), encoding="utf-8")


def _photograph(browser: str, page: Path, picture: Path) -> None:
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=3000"]
    size = "--window-size=1200,900"
    subprocess.run([browser, *options, size, f"--screenshot={picture}", page.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main())
