"""Names the kind of a file that holds no rows of text, and how to get rows from it."""

from __future__ import annotations

import re

GZIP = b"\x1f\x8b"

_FRAME = "pandas.DataFrame(ROWS).to_json(FILE, orient='records', lines=True, force_ascii=False)"
_UNPACK = "unpack it (only .gz is read)"
_SAVE = "save it as one of these (a spreadsheet: CSV UTF-8)"
_CONVERT = f"read it where it was made, and write the rows with {_FRAME}"
_HUB = "write its rows with to_json(FILE) of the datasets library"
_KINDS = {
    b"PK\x03\x04": ("a zip archive or a spreadsheet", f"{_SAVE}, or unpack it"),
    b"\xd0\xcf\x11\xe0": ("a spreadsheet", _SAVE),
    b"ARROW1": ("an Arrow file", _HUB),
    b"\xff\xff\xff\xff": ("an Arrow stream (as the cache of the datasets library)", _HUB),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", _UNPACK),
    b"BZh": ("compressed with bzip2", _UNPACK),
    b"\xfd7zXZ\0": ("compressed with xz", _UNPACK),
    b"\x04\x22\x4d\x18": ("compressed with lz4", _UNPACK),
    b"7z\xbc\xaf": ("a 7z archive", _UNPACK),
    b"Rar!": ("a rar archive", _UNPACK),
    b"\x93NUMPY": ("an array of numpy (.npy)", _CONVERT),
    b"\x89HDF": ("an HDF5 file", _CONVERT),
    b"%PDF-": ("a PDF document", "write its problems as rows"),
    b"SQLite format 3": (
        "a SQLite database",
        "write its table as CSV (sqlite3 -header -csv FILE 'select * from TABLE')",
    ),
    b"version https://git-lfs": (
        "a pointer of Git LFS, without the data",
        "fetch the data (git lfs pull, or load_dataset of the datasets library)",
    ),
}
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head)\b", re.IGNORECASE)
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\b", re.IGNORECASE)


def kind_of(start: bytes) -> tuple[str, str]:
    """Return the kind of a file that begins with these bytes and holds no text rows, and a remedy; else empty texts."""
    for mark, found in _KINDS.items():
        if start.startswith(mark):
            return found
    if _PICKLE.match(start):
        return "a pickle of Python", _CONVERT
    if start[257:262] == b"ustar":
        return "a tar archive", _UNPACK
    if _PAGE.match(start):
        return "a web page", "fetch the file itself (on the hub: its address with /resolve/, not /blob/)"
    return ("an XML file", "write its problems as rows") if _MARKUP.match(start) else ("", "")
