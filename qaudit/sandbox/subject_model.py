"""The audited model inside a child: read by the one format plugin that was loaded for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from qaudit.core.records import Format, Loaded
from qaudit.core.table import Table
from qaudit.errors import Refused
from qaudit.sandbox.job import Job


def open_model(job: Job) -> Loaded:
    """The model at request["model"], read by the only format in job.offers. Announces the phase "load". Raises Refused."""
    formats: list[Format] = list(job.offers.get("format", []))
    if len(formats) != 1:
        raise Refused(f"format plugin: offered {len(formats)} formats, exactly one is wanted")
    job.phase("load")
    return formats[0].load(Path(job.request["model"]))


def frame(table: Table) -> pd.DataFrame:
    """The rows as scikit-learn's pipelines expect them: float64 numbers, text as objects with NaN for missing."""
    columns: dict[str, Any] = {}
    for name, values in table.columns.items():
        if values.dtype == np.float64:
            columns[name] = values
            continue
        text = values.copy()
        text[[value is None for value in values]] = np.nan
        columns[name] = pd.Series(text, dtype=object)
    return pd.DataFrame(columns)
