"""Checks at once whether anything listens at an address of this machine, instead of waiting minutes for it."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

REFUSED = "connection refused"
_PATIENCE = 2.0  # seconds


def is_loopback(url: str) -> bool:
    """Tell whether an address is a loopback address of this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def nobody_listens(url: str) -> bool:
    """Tell whether a connection to a loopback address is refused. Nothing is sent.

    Other addresses are not tried, because a remote server may be behind a proxy or start later.
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
    """Return the message for an address at which nothing listens."""
    return (
        f"{setting}={url.rsplit('@', 1)[-1]}: nothing listens there ({REFUSED}). Rule: a server on this machine runs "
        f"before a run starts. Remedy: start it, or {setting}=ADDRESS."
    )
