"""Reads the list of one framework plugin and checks that it has the fields that the contract requires."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from qaudit.core.evidence import TOPICS
from qaudit.core.json_values import Json
from qaudit.core.records import Framework
from qaudit.sandbox.ipc import BrokenAnswer
from qaudit.sandbox.job import Arrays, Job

TEXTS = ("id", "ref", "paraphrase", "evidence", "filled_by", "coverage")
"""Keys that every item must have."""
OPTIONAL = ("legacy", "applies_if")
CHOICES = {"filled_by": ("tool", "author", "both"), "coverage": ("direct", "partial", "none"), "evidence": TOPICS}


def work(job: Job) -> tuple[Json, Arrays]:
    """Answer {"frameworks": [fields of the record, with complete items]}. Raises BrokenAnswer where data break the contract."""
    return {"frameworks": [_plain(record) for record in job.offers.get("framework", [])]}, {}


def _plain(record: Any) -> Json:
    if not isinstance(record, Framework):
        raise BrokenAnswer(f"offered {type(record).__name__}, expected Framework")
    for field in fields(Framework):
        kind = {"items": (list, tuple), "binding": bool}.get(field.name, str)
        if not isinstance(getattr(record, field.name), kind):  # type: ignore[arg-type]
            raise BrokenAnswer(f"{field.name} is {getattr(record, field.name)!r}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", record.id):
        raise BrokenAnswer(f"id {record.id!r} is not a snake_case name")
    try:
        datetime.date.fromisoformat(record.dated)
    except ValueError:
        raise BrokenAnswer(f"dated is {record.dated!r}, expected an ISO date") from None
    items = [_item(item) for item in record.items]
    ids = [item["id"] for item in items]
    if duplicates := {name for name in ids if ids.count(name) > 1}:
        raise BrokenAnswer(f"item ids used twice: {', '.join(sorted(duplicates))}")
    return {field.name: getattr(record, field.name) for field in fields(Framework)} | {"items": items}


def _item(item: Any) -> Json:
    if not isinstance(item, Mapping):
        raise BrokenAnswer(f"an item is {type(item).__name__}, expected a mapping")
    name = item.get("id")
    if unknown := set(item) - {*TEXTS, *OPTIONAL, "also"}:
        raise BrokenAnswer(f"item {name}: unknown keys {', '.join(sorted(map(str, unknown)))}")
    for key in TEXTS:
        if not isinstance(item.get(key), str) or not item[key]:
            raise BrokenAnswer(f"item {name}: {key} is {item.get(key)!r}, expected text")
    for key, allowed in CHOICES.items():
        if item[key] not in allowed:
            raise BrokenAnswer(f"item {name}: {key} is {item[key]!r}; allowed: {', '.join(allowed)}")
    also = item.get("also", [])
    if not isinstance(also, list | tuple) or any(topic not in TOPICS for topic in also):
        raise BrokenAnswer(f"item {name}: also is {also!r}; allowed: a list of {', '.join(TOPICS)}")
    for key in OPTIONAL:
        if not isinstance(item.get(key), str | None):
            raise BrokenAnswer(f"item {name}: {key} is {item[key]!r}, expected text")
    return {key: item[key] for key in TEXTS} | {"also": list(also)} | {key: item.get(key) for key in OPTIONAL}
