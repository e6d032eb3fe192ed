"""Whether anything listens at an address of this machine: known at once, where waiting for it takes minutes."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

REFUSED = "connection refused"
_PATIENCE = 2.0  # seconds


def is_loopback(url: str) -> bool:
    """Say whether an address is one of this machine alone."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def nobody_listens(url: str) -> bool:
    """Say whether a connection to an address of this machine is refused. Nothing is sent.

    Other addresses are not tried: a server elsewhere may be behind a proxy or come up later, one of this machine that
    refuses is not there.
    """
    if not is_loopback(url):
        return False
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((parts.hostname or "", port), timeout=_PATIENCE):
            return False
    except ConnectionRefusedError:
        return True
    except (OSError, ValueError):
        return False


def words(setting: str, url: str) -> str:
    """Return the refusal of an address at which nothing listens."""
    return (
        f"{setting}={url.rsplit('@', 1)[-1]}: nothing listens there ({REFUSED}). Rule: a server on this machine runs "
        f"before a run starts. Remedy: start it, or {setting}=ADDRESS."
    )
