"""The JSON Schema and docs/report-format.md are those of the types."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import jsonschema
import pytest
from pydantic import BaseModel
from reports import golden, smallest

from qaudit.report.schema import schema_text

ROOT = Path(__file__).parent.parent.parent
RUN = "run: python tools/report_docs.py"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("report_docs", ROOT / "tools" / "report_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_schema_that_ships_is_that_of_the_types(generator: ModuleType) -> None:
    assert schema_text("report") == generator.schema_text(), RUN


def test_the_page_is_that_of_the_types(generator: ModuleType) -> None:
    page = (ROOT / "docs" / "report-format.md").read_text(encoding="utf-8")
    assert page == generator.page(), RUN
    for name in re.findall(r"^## (\w+)$", page, re.MULTILINE):
        of = generator.classes()[name]
        fields = of.model_fields if issubclass(of, BaseModel) else of.__dataclass_fields__
        assert set(generator.field_docs(of)) == set(fields), name


def test_the_schema_takes_what_the_model_takes() -> None:
    schema = json.loads(schema_text("report"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for report in (golden(), smallest()):
        assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(report)] == []
        del report["subject"]["digest"]
        assert not jsonschema.Draft202012Validator(schema).is_valid(report)
