"""What every part of report.json shares: strict frozen models, and the types of fields that occur in several parts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import CoreSchema, core_schema

from qaudit.core.evidence import ABOUT, TOPICS

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
"""An unknown key, a number written as text, and a number that is not finite are errors."""


class Part(BaseModel):
    """A part of report.json. A field with a default may be absent; what was absent when read is absent when written."""

    model_config = ConfigDict(frozen=True, **STRICT)


@dataclass(frozen=True, slots=True)
class OneOf:
    """Restricts a text to `words`, which are known when the program runs and not when it is type-checked."""

    words: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.literal_schema(list(self.words))


def _real_day(text: str) -> str:
    date.fromisoformat(text)
    return text


Topic = Annotated[str, OneOf(TOPICS)]
About = Annotated[str, OneOf(ABOUT)]
Where = Annotated[str, OneOf(tuple(key for key in ABOUT if key not in ("candidate", "against")))]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_real_day)]
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Share = Annotated[float, Field(ge=0, le=1)]
Scalar = str | int | float | bool | None
Settings = dict[str, Scalar | list[Scalar]]
"""Settings of a plugin by name. Those of a candidate are one value each; those of a plugin's row may be lists of values."""
