"""scikit-learn models in pickle or joblib files.

Loading such a file runs code from it, so the host loads only a file whose digest the author has declared as trusted.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickletools
import warnings
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from zipfile import is_zipfile

import joblib
from sklearn.exceptions import InconsistentVersionWarning

from qaudit import Format, Loaded, Refused, hookimpl
from qaudit_formats.sklearn_loaded import loaded

HEAD = 4096


def _zlib_head(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, HEAD)


def _lzma_head(data: bytes) -> bytes:
    return lzma.LZMADecompressor().decompress(data, HEAD)


def _gzip_head(data: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        return stream.read(16)


PACKED: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\x1f\x8b", _gzip_head),
    (b"BZh", lambda data: bz2.BZ2Decompressor().decompress(data, HEAD)),
    (b"\xfd7zXZ", _lzma_head),
    (b"\x5d\x00", _lzma_head),
    (b"x", _zlib_head),
)


def _is_pickle(head: bytes) -> bool:
    if head[:1] == b"\x80":
        return len(head) > 1 and 2 <= head[1] <= 5
    return False


def _is_old_pickle(data: bytes) -> bool:
    """Whether the data is a pickle of protocol 0 or 1: all of it parses as opcodes up to STOP. Nothing is executed."""
    try:
        names = [code.name for code, _, _ in pickletools.genops(data)]
    except Exception:  # genops raises many kinds of exceptions on other data
        return False
    return len(names) > 3 and names[-1] == "STOP"


def recognise(path: Path) -> bool:
    """Whether the file is a pickle stream, plain or in one of joblib's compressions. Only opcodes are read."""
    with path.open("rb") as stream:
        head = stream.read(1 << 16)
        small = len(head) < 1 << 16
    if _is_pickle(head) or head.startswith(b"\x04\x22\x4d\x18"):
        return True
    for magic, unpack in PACKED:
        if head.startswith(magic):
            try:
                return _is_pickle(unpack(head))
            except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError):
                continue
    return small and not is_zipfile(path) and _is_old_pickle(head)


def _hint(error: Exception) -> str:
    if isinstance(error, AttributeError) and ("Can't get attribute" in str(error) or "has no attribute" in str(error)):
        return "; classes and functions of your own must stand in a module that can be imported"
    return "; install the package that the model was made with" if isinstance(error, ModuleNotFoundError) else ""


def load(path: Path) -> Loaded:
    """Load the model, which runs code from the file. Raises Refused with a message of one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        try:
            estimator = joblib.load(path)
        except InconsistentVersionWarning as warning:
            versions = f"scikit-learn {warning.original_sklearn_version}; this is {warning.current_sklearn_version}"
            raise Refused(f"{path.name}: made by {versions}: install that version or save the model again") from warning
        except Exception as error:  # code from the file may raise anything
            raise Refused(f"{path.name}: cannot be read ({type(error).__name__}: {str(error)[:200]}){_hint(error)}") from error
    return loaded(estimator)


@hookimpl
def qaudit_offer_formats() -> Iterable[Format]:
    """Offer one format, of the tier "code"."""
    yield Format("sklearn_pickle", "code", recognise, load, "scikit-learn in pickle or joblib, trusted by digest")
