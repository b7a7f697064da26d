"""Each trace as a small tree on the terminal, one line per span, drawn when its local root ends.

A span processor like any other: it works for every OpenTelemetry span, ours and foreign ones mixed. It shows names,
times, token counts, costs and outcomes; never content, whatever the spans carry.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, TextIO

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from otel_callbacks._drawing import Line, Style, draw_footer, draw_line, draw_tree, line_of
from otel_callbacks._process.forks import after_fork_in_child

logger = logging.getLogger("otel_callbacks")

WIDTH_OF_A_FILE: Final = 120
"""Columns of a line if neither a terminal nor ``COLUMNS`` sets them."""


class ConsoleTree(SpanProcessor):
    """Span processor that draws each trace when its local root ends: a span whose parent is missing, remote or unseen.

    A line has the span's name, duration, time to first chunk, tokens in and out, cost in USD, and its outcome and error
    type if it is not ok. Spans still open when their root ends are marked as open, and get a line of their own
    when they end. Colours appear only on a terminal, unless ``NO_COLOR`` or ``FORCE_COLOR`` is set; ``COLUMNS``
    overrides the width. Nothing is ever raised into the traced program.

    Args:
        stream: Text stream to write to. Default: whatever ``sys.stderr`` is at the time of writing.
        live: On a terminal, print each span when it ends, children before parents, instead of a tree at the end.
        max_spans: Spans held for roots that have not ended. Above it the oldest trace is dropped, with a note.
    """

    def __init__(self, stream: TextIO | None = None, *, live: bool = False, max_spans: int = 10_000) -> None:
        self._stream = stream
        self._live = live
        self._max_spans = max_spans
        self._forget_all()
        after_fork_in_child(self._forget_all)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """Note an open span (`SpanProcessor.on_start`)."""
        if not _is_sampled(span):
            return
        with _harmless():
            dropped = self._open(line_of(span))
            if dropped:
                self._show(lambda _style: _note(dropped))

    def on_end(self, span: ReadableSpan) -> None:
        """Print the line or, at a root's end, the tree (`SpanProcessor.on_end`)."""
        if not _is_sampled(span):
            return
        with _harmless():
            line = line_of(span)
            tree, is_root = self._close(line)
            if self._is_live():
                self._show(lambda style: _live(line, tree, style, is_root=is_root))
            elif is_root:
                self._show(partial(draw_tree, tree))

    def shutdown(self) -> None:
        """Draw the trees whose roots have not ended."""
        with _harmless():
            trees = list(self._trees.values())
            self._forget_all()
            for tree in trees:
                self._show(partial(draw_tree, tree))

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002
        """Return True: there is nothing to flush; traces wait only for their root."""
        return True

    def _forget_all(self) -> None:
        # Re-entrant: garbage collection may end the span of an abandoned run on the thread that holds the lock.
        self._lock = threading.RLock()
        self._trees: dict[int, dict[int, Line]] = {}  # span id of a local root -> its spans, itself included
        self._roots: dict[int, int] = {}  # span id -> span id of its local root

    def _open(self, line: Line) -> dict[int, Line] | None:
        """Add an open span. Return the tree that was dropped to make room for it, if any."""
        with self._lock:
            root = self._roots.get(line.parent_id or 0, line.span_id)
            self._roots[line.span_id] = root
            self._trees.setdefault(root, {})[line.span_id] = line
            # Dictionaries keep their order, so the first tree is the oldest.
            return self._remove(next(iter(self._trees))) if len(self._roots) > self._max_spans else None

    def _close(self, line: Line) -> tuple[dict[int, Line], bool]:
        """Record a span's end. Return its tree and whether its root has ended.

        A span that outlived its tree has its own.
        """
        with self._lock:
            root = self._roots.get(line.span_id, line.span_id)
            tree = self._trees.setdefault(root, {})
            tree[line.span_id] = line
            is_root = root == line.span_id
            if is_root:
                self._remove(root)
            return tree, is_root

    def _remove(self, root: int) -> dict[int, Line]:
        tree = self._trees.pop(root)
        for span_id in tree:
            self._roots.pop(span_id, None)
        return tree

    def _target(self) -> TextIO | None:
        return sys.stderr if self._stream is None else self._stream

    def _is_live(self) -> bool:
        target = self._target()
        return self._live and target is not None and target.isatty()

    def _show(self, draw: Callable[[Style], str]) -> None:
        """Write in one call, so that the trees of several threads do not mix."""
        target = self._target()
        # Programs without a console (pythonw) have no standard error.
        if target is not None:
            style = _style(target)
            target.write(style.encodable(draw(style)))
            target.flush()


@contextmanager
def _harmless() -> Iterator[None]:
    """Keep a failing view (a closed stream, a full disk) away from the traced program."""
    try:
        yield
    except Exception:
        logger.debug("the console tree failed", exc_info=True)


def _is_sampled(span: ReadableSpan) -> bool:
    return span.context is not None and span.context.trace_flags.sampled


def _note(dropped: dict[int, Line]) -> str:
    trace_id = next(iter(dropped.values())).trace_id
    return f"otel_callbacks: trace {trace_id:032x} is not shown: its root was still open after {len(dropped)} spans\n"


def _live(line: Line, tree: dict[int, Line], style: Style, *, is_root: bool) -> str:
    return draw_line(line, _depth(line, tree), style) + (draw_footer(line, style) if is_root else "")


def _depth(line: Line, tree: dict[int, Line]) -> int:
    depth = 0
    while line.parent_id in tree:
        line = tree[line.parent_id]
        depth += 1
    return depth


def _style(target: TextIO) -> Style:
    encoding = getattr(target, "encoding", None) or "utf-8"
    return Style(width=_width(target), has_colour=_has_colour(target), encoding=encoding)


def _width(target: TextIO) -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        # Pseudo-terminals whose size was never set report 0 columns.
        return os.get_terminal_size(target.fileno()).columns or WIDTH_OF_A_FILE
    except (OSError, ValueError):
        return WIDTH_OF_A_FILE


def _has_colour(target: TextIO) -> bool:
    """Tell whether to use colours: ``NO_COLOR`` wins over ``FORCE_COLOR``, and that over what the terminal supports."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return target.isatty() and os.environ.get("TERM") != "dumb"
