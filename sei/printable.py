"""Text of models, servers and files as it may reach a terminal or a log: nothing in it steers anything."""

from __future__ import annotations

import logging
import unicodedata

# control, direction and other invisible marks, halves of surrogate pairs, line and paragraph separators
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str, keep: str = "") -> str:
    r"""Return a text with what does not print written out (ESC as ``\x1b``); characters of ``keep`` stay."""
    if text.isprintable():
        return text
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in _HIDDEN and c not in keep else c for c in text
    )


class Formatter(logging.Formatter):
    """Log lines without control characters; a message is one line, only a traceback has several."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        shown = logging.makeLogRecord({**vars(record), "msg": printable(record.getMessage()), "args": ()})
        return printable(super().format(shown), keep="\n\t")
