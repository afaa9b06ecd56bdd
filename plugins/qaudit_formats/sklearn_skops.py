"""scikit-learn models in skops files: no code of the file runs, and only types from a reviewed list are built."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from zipfile import BadZipFile, ZipFile, is_zipfile

import skops.io
from sklearn.exceptions import InconsistentVersionWarning

from qaudit import Format, Loaded, Refused, hookimpl
from qaudit_formats.sklearn_loaded import loaded
from qaudit_formats.skops_check import REVIEWED, check_file


def recognise(path: Path) -> bool:
    """Whether the file is a zip archive with a schema.json at its top level."""
    try:
        if not is_zipfile(path):
            return False
        with ZipFile(path) as archive:
            return "schema.json" in archive.namelist()
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def load(path: Path) -> Loaded:
    """Check the file, then build the model. Raises Refused with a message of one line."""
    check_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        try:
            estimator = skops.io.load(path, trusted=list(REVIEWED))
        except InconsistentVersionWarning as warning:
            raise Refused(f"{path.name}: made by another scikit-learn: {str(warning)[:200]}") from warning
        except Exception as error:  # an untrusted file may cause any exception
            raise Refused(f"{path.name}: cannot be built ({type(error).__name__}: {str(error)[:200]})") from error
    return loaded(estimator)


@hookimpl
def qaudit_offer_formats() -> Iterable[Format]:
    """Offer one format, of the tier "checked"."""
    yield Format("sklearn_skops", "checked", recognise, load, "scikit-learn in skops, types from a reviewed list")
