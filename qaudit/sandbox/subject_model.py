"""Opens the audited model inside a child with the one format plugin that was loaded for it."""

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
    """The model at request["model"], loaded by the only format in job.offers. Announces the phase "load".

    Raises Refused where the plugin does not offer exactly one format.
    """
    formats: list[Format] = list(job.offers.get("format", []))
    if len(formats) != 1:
        raise Refused(f"format plugin: offered {len(formats)} formats, exactly one is wanted")
    job.phase("load")
    return formats[0].load(Path(job.request["model"]))


def frame(table: Table) -> pd.DataFrame:
    """The rows as a data frame for scikit-learn pipelines: numbers as float64, text as objects with NaN for missing values."""
    columns: dict[str, Any] = {}
    for name, values in table.columns.items():
        if values.dtype == np.float64:
            columns[name] = values
            continue
        text = values.copy()
        text[[value is None for value in values]] = np.nan
        columns[name] = pd.Series(text, dtype=object)
    return pd.DataFrame(columns)
