"""Make the pictures of the documentation from the demo's real data: the console, the page of `otel-callbacks view`.

usage: python scripts/pictures.py      (needs Chromium)
"""

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
FOLDER = _ROOT / "docs" / "pictures"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_TRACE = "invoke_agent support_agent"
_CONSOLE_LINES = 25
_LINE_HEIGHT = 21
_TERMINAL = (
    "body { margin: 0; padding: 16px; background: #14171c; color: #e5e8ee; }"
    "body { font: 14px/21px 'DejaVu Sans Mono', monospace; }"
    "pre { margin: 0; font: inherit; } .s1 { font-weight: bold; } .s2 { color: #9aa4b3; } .s31 { color: #ff7b72; }"
    ".s32 { color: #56bd85; } .s33 { color: #dca14b; } .s36 { color: #5bc0de; }"
)


def main() -> int:
    """Make the pictures, and return the exit code."""
    chromium = browser()
    if chromium is None:
        return 1
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "otel_callbacks"]
        demo = [*command, "demo", "--json", "--capture", "span_only", "--out", folder]
        subprocess.run(demo, cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)
        _keep_one_trace(Path(folder) / "traces.jsonl")
        page = Path(folder) / "page.html"
        subprocess.run([*command, "view", str(Path(folder) / "traces.jsonl"), "-o", str(page)], cwd=_ROOT, check=True)
        photograph(chromium, page, FOLDER / "view.png", (1200, 900))
        _console(chromium, command, Path(folder))
    return 0


def _console(chromium: str, command: list[str], folder: Path) -> None:
    """Picture the demo's first lines on a terminal with colours."""
    variables = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": "100", "PYTHONPATH": str(_ROOT)}
    demo = subprocess.run(
        [*command, "demo", "--out", "traces"], cwd=folder, env=variables, check=True, capture_output=True, text=True
    )
    lines = demo.stdout.splitlines()[:_CONSOLE_LINES]
    page = folder / "console.html"
    page.write_text(f"<style>{_TERMINAL}</style><pre>{_coloured(chr(10).join(lines))}</pre>", encoding="utf-8")
    photograph(chromium, page, FOLDER / "console.png", (1200, 32 + _LINE_HEIGHT * len(lines)))


def _coloured(text: str) -> str:
    """Turn a terminal's colours into classes."""
    parts = re.split(r"\x1b\[([0-9;]*)m", text)
    styled = [html.escape(parts[0])]
    for codes, part in zip(parts[1::2], parts[2::2], strict=True):
        classes = " ".join(f"s{code}" for code in codes.split(";"))
        styled.append(f'<span class="{classes}">{html.escape(part)}</span>')
    return "".join(styled)


def _keep_one_trace(file: Path) -> None:
    """Keep only the agent's trace, so that the page opens on it, and no events: they hold paths of this machine."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        scopes = [scope for resource in document["resourceSpans"] for scope in resource["scopeSpans"]]
        roots = {span["traceId"] for scope in scopes for span in scope["spans"] if span["name"] == _TRACE}
        for scope in scopes:
            scope["spans"] = [{**span, "events": []} for span in scope["spans"] if span["traceId"] in roots]
        lines.append(json.dumps(document))
    file.write_text("\n".join(lines), encoding="utf-8")


def browser() -> str | None:
    """Return the path of Chromium; print a line and return ``None`` if there is none."""
    chromium = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if chromium is None:
        print(f"needs one of {', '.join(_BROWSERS)}")
    return chromium


def photograph(chromium: str, page: Path, picture: Path, size: tuple[int, int]) -> None:
    """Save a picture of a page in the browser. `size`: width and height in pixels."""
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=3000"]
    window = f"--window-size={size[0]},{size[1]}"
    command = [chromium, *options, window, f"--screenshot={picture}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main())
