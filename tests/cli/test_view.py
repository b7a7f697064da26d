"""`otel-callbacks view`: one page that holds everything and runs nothing that a span holds."""

import json
import re
import shutil
import subprocess

import pytest

from otel_callbacks import cli
from tests.cli.test_report import attribute

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "</script><script>document.title='owned'</script><!-- <img src=x onerror=\"document.title='owned'\">\u2028"
MESSAGES = [
    {"role": "user", "parts": [{"type": "text", "content": "Why?"}]},
    {"role": "assistant", "parts": [{"type": "tool_call", "name": "look", "arguments": {"a": 1}}]},
    {"role": "tool", "parts": [{"type": "tool_call_response", "response": "found"}]},
]


def line(name, span_id, parent="", trace="a" * 32, **attributes):
    """Return one span as one line."""
    values = {key.replace("__", "."): value for key, value in attributes.items()}
    span = {
        "traceId": trace,
        "spanId": span_id,
        "parentSpanId": parent,
        "name": name,
        "kind": 3,
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000001500000000",
        "status": {"code": 2, "message": "ValueError"} if "error.type" in values else {},
        "attributes": [attribute(key, value) for key, value in values.items()],
        "events": [{"name": "exception", "attributes": [attribute("exception.type", "ValueError")]}],
    }
    resource = {"attributes": [attribute("service.name", "shop")]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]})


@pytest.fixture
def out(tmp_path, capsys):
    """Return the page made of two traces, one of them hostile, and a cut-off line."""
    file, out = tmp_path / "traces.jsonl", tmp_path / "page.html"
    spans = [
        line("invoke_agent helper", "1" * 16, gen_ai__operation__name="invoke_agent"),
        line(
            "chat m", "2" * 16, "1" * 16, gen_ai__operation__name="chat", gen_ai__input__messages=json.dumps(MESSAGES)
        ),
        line(
            HOSTILE, "3" * 16, trace="b" * 32, note=HOSTILE, error__type="ValueError", gen_ai__input__messages=HOSTILE
        ),
    ]
    file.write_text("\n".join([*spans, spans[0][:70]]), encoding="utf-8")
    assert cli.main(["view", str(file), "-o", str(out)]) == 0
    assert "1 line skipped" in capsys.readouterr().err
    return out


def embedded(page):
    """Return the data in the page, as a browser reads it."""
    [text] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def rendered(path, *options):
    """Return what a browser makes of the page."""
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", *options]
    process = subprocess.run([*command, f"file://{path}"], capture_output=True, text=True, check=True, timeout=120)
    return process.stdout


def test_page_holds_every_span(out):
    """The page holds traces with their spans, services, statuses and attributes."""
    traces = {trace["id"]: trace for trace in embedded(out.read_text(encoding="utf-8"))}
    assert [span["name"] for span in traces["a" * 32]["spans"]] == ["invoke_agent helper", "chat m"]
    assert traces["a" * 32]["service"] == "shop"
    assert traces["b" * 32]["spans"][0]["status"] == "error ValueError"
    assert traces["b" * 32]["spans"][0]["attributes"]["note"] == HOSTILE


def test_page_loads_nothing_and_runs_nothing_but_its_own_program(out):
    """A content security policy names the hash of the one script; no address of another host is in the page."""
    page = out.read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert len(re.findall(r"<script>", page)) == 1
    assert "owned'</script>" not in page
    assert not re.findall(r"(?:src|href)=[\"']?http", page)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.slow
def test_browser_shows_it_and_runs_none_of_it(out):
    """A browser draws list, waterfall and details, and shows what spans hold as text."""
    dom = rendered(out, "--dump-dom")
    assert "<title>Traces</title>" in dom
    assert "2 of 2 traces, 3 spans" in dom
    assert "document.title='owned'" in dom
    assert "<img" not in dom
    assert 'class="bar"' in dom


def probed(page, program):
    """Return a copy of the page that runs a program of the test after its own."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    copy = page.with_name("probed.html")
    copy.write_text(text.replace("</body>", f"<script>{program}</script></body>"), encoding="utf-8")
    return copy


KEYS = """
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const rows = [];
for (const key of ["/", "ArrowDown", "ArrowDown", "ArrowUp", "ArrowRight", "ArrowDown", "ArrowDown", "ArrowLeft"]) {
  press(key);
  const here = document.activeElement;
  const span = document.querySelector("#details h2").textContent;
  rows.push(key + " " + (here.id || (here.closest("nav") ? "trace" : "span")) + " " + span.slice(0, 19));
}
document.title = rows.join("|");
"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.slow
def test_keyboard_reaches_everything(out):
    """Keys lead from search to list to spans and back, and the focused span is the one shown."""
    dom = rendered(probed(out, KEYS), "--dump-dom")
    assert re.findall("<title>(.*)</title>", dom)[0].split("|") == [
        "/ search invoke_agent helper",
        "ArrowDown trace invoke_agent helper",
        "ArrowDown trace &lt;/script&gt;&lt;script&gt;do",
        "ArrowUp trace invoke_agent helper",
        "ArrowRight span invoke_agent helper",
        "ArrowDown span chat m",
        "ArrowDown span chat m",
        "ArrowLeft trace invoke_agent helper",
    ]


CONTRAST = """
const channel = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const light = (color) => {
  const [r, g, b] = color.match(/[0-9.]+/g).slice(0, 3).map((c) => channel(Number(c) / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const isPlain = (color) => color.startsWith("rgb(");
const below = (node) => {
  const color = getComputedStyle(node).backgroundColor;
  return isPlain(color) || !node.parentElement ? color : below(node.parentElement);
};
const texts = "h1, h2, .soft, .name, .label, .role, .message, th, td, input";
const contrasts = [...document.querySelectorAll(texts)].map((node) => {
  const [a, b] = [light(getComputedStyle(node).color), light(below(node))].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
});
const background = getComputedStyle(document.body).backgroundColor;
document.title = [background, contrasts.length, Math.min(...contrasts).toFixed(2)].join("|");
"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "background"), [(1, "rgb(255, 255, 255)"), (0, "rgb(20, 23, 28)")])
def test_text_is_readable_in_light_and_dark(out, scheme, background):
    """Every text has at least WCAG's contrast of 4.5, in the scheme that the system prefers."""
    dom = rendered(probed(out, CONTRAST), "--dump-dom", f"--blink-settings=preferredColorScheme={scheme}")
    colour, texts, contrast = re.findall("<title>(.*)</title>", dom)[0].split("|")
    assert colour == background
    assert int(texts) > 20
    assert float(contrast) >= 4.5


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.slow
def test_histogram_of_similar_spans(out):
    """The details of a span show how long all spans of its name took."""
    dom = rendered(out, "--dump-dom")
    assert "traces: 2, p50 1.50 s, p95 1.50 s, longest 1.50 s" in dom
    assert "all invoke_agent helper: 1, p50 1.50 s" in dom
    assert dom.count('class="marked"') == 1


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.slow
def test_ten_thousand_spans_stay_usable(tmp_path):
    """The page draws thousands of traces, and one with thousands of spans."""
    file, out = tmp_path / "traces.jsonl", tmp_path / "page.html"
    spans = [line(f"chat {number}", f"{number:016x}", trace=f"{number % 2000:032x}") for number in range(1, 8001)]
    spans += [line("node", f"{number:016x}", f"{1:016x}", trace="f" * 32) for number in range(10_000, 12_000)]
    file.write_text("\n".join(spans), encoding="utf-8")
    assert cli.main(["view", str(file), "-o", str(out)]) == 0
    assert "2001 of 2001 traces, 10000 spans" in rendered(out, "--dump-dom")


def test_wrong_use_is_one_line(capsys, tmp_path):
    """A missing file, or a place that cannot be written, costs one line and exit code 2."""
    assert cli.main(["view", str(tmp_path / "none.jsonl")]) == 2
    (tmp_path / "t.jsonl").write_text("")
    assert cli.main(["view", str(tmp_path / "t.jsonl"), "-o", str(tmp_path / "no" / "x.html")]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_empty_file_makes_an_empty_page(tmp_path):
    """A file without spans gives a page without spans, not a failure."""
    (tmp_path / "t.jsonl").write_text("")
    assert cli.main(["view", str(tmp_path / "t.jsonl"), "-o", str(tmp_path / "x.html")]) == 0
    assert embedded((tmp_path / "x.html").read_text()) == []
