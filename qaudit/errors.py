"""What stops an audit: one clear line, exit code 2."""

from __future__ import annotations


class Refused(Exception):
    """Bad input. The message names the file, column or key, what was found and what is wanted; it is printed as it stands."""


class PluginConflict(Refused):
    """Two distributions offer one name."""
