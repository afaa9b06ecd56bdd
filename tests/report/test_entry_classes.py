"""Every kind of explanation has a class of entries in report.json, tagged with its name."""

from __future__ import annotations

from typing import get_args

import pytest

from qaudit.core.explanation import EXPLANATION_NAMES, ExplanationName
from qaudit.report.explanations import entry_class


@pytest.mark.parametrize("kind", EXPLANATION_NAMES)
def test_the_tag_is_the_name(kind: ExplanationName) -> None:
    assert get_args(entry_class(kind).model_fields["kind"].annotation) == (kind,)
