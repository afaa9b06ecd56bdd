"""Reads the bytes of a report.json, which may come from anyone, into a checked Report. There is no other way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qaudit.core.evidence import canonical_json
from qaudit.core.printable import printable
from qaudit.errors import Refused, first_problem
from qaudit.report.formats import upgraded
from qaudit.report.model import Report

LARGEST = 256 * 2**20
"""Bytes of a report.json; a report on 100 candidates of 100 tensors has 5 million."""


def report_bytes(path: Path) -> bytes:
    """The unchecked bytes of a report.json. Raises Refused where the file cannot be read or is larger than LARGEST."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise Refused(f"{path}: the report cannot be read ({error.strerror or error})") from None
    if len(content) > LARGEST:
        raise Refused(f"{path}: larger than {LARGEST} bytes, which no report is")
    return content


def parse_report(content: bytes) -> Report:
    """The report in `content`, older formats upgraded. Raises Refused, in one line that names the place but not the file."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise Refused("not a report.json: no JSON") from None
    if not isinstance(value, dict):
        raise Refused("not a report.json: no JSON object")
    return _checked(lambda: json.dumps(upgraded(value), ensure_ascii=False, allow_nan=False))


def report_of(value: Any) -> Report:
    """The report of plain JSON values and core's values, in the current format. Raises Refused as `parse_report` does.

    The values pass through JSON text, so that writing a report makes the same checks as reading it.
    """
    return _checked(lambda: canonical_json(value))


def _checked(text: Callable[[], str]) -> Report:
    try:
        return Report.model_validate_json(text().encode("utf-8"))
    except ValidationError as error:
        raise Refused(printable(first_problem(error))) from None
    except UnicodeEncodeError as error:
        # JSON can express half of a surrogate pair, which no UTF-8 file can hold
        half = ord(error.object[error.start])
        raise Refused(f"not a report.json: half a character (\\u{half:04x}) in a text") from None
    except RecursionError:
        raise Refused("not a report.json: nested too deep") from None
    except ValueError:
        raise Refused("not a report.json: a number is not finite") from None
