"""Makes text from models, servers and files safe for a terminal or a log: no control characters."""

from __future__ import annotations

import logging
import unicodedata

# control, direction and other invisible characters, unpaired surrogates, line and paragraph separators
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str, keep: str = "") -> str:
    r"""Return a text with unprintable characters escaped (ESC as ``\x1b``), except those in ``keep``."""
    if text.isprintable():
        return text
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in _HIDDEN and c not in keep else c for c in text
    )


class Formatter(logging.Formatter):
    """Formats log lines without control characters. Only a traceback has several lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the log line of a record."""
        shown = logging.makeLogRecord({**vars(record), "msg": printable(record.getMessage()), "args": ()})
        return printable(super().format(shown), keep="\n\t")
