"""The type of what is read from JSON or written to it."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
"""A JSON object: text to numbers, texts, booleans, None, lists and objects."""
