"""The environment on which the bytes of a report depend: versions, processor features, BLAS kernel, PDF engine. No host name."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from qaudit.core.__about__ import SPEC, VERSION
from qaudit.rendering.assets import templates
from qaudit.sandbox.job import PluginRef

PACKAGES = (
    "jinja2",
    "numexpr",
    "numpy",
    "pandas",
    "pluggy",
    "pyarrow",
    "pydantic",
    "scikit-learn",
    "scipy",
    "skops",
    "weasyprint",
)


def environment() -> dict[str, Any]:
    """The `environment` part of report.json."""
    return {
        "qaudit": VERSION,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "blas": _blas(),
        "packages": {name: version for name in PACKAGES if (version := _version(name)) is not None},
        "pdf": {
            "weasyprint": _version("weasyprint"),
            "pango": _library_version(("pango-1.0", "libpango-1.0.so.0", "libpango-1.0-0"), "pango_version_string"),
            "harfbuzz": _library_version(("harfbuzz", "libharfbuzz.so.0"), "hb_version_string"),
        },
    }


def environment_facts() -> dict[str, Any]:
    """All that the answer of a unit may depend on besides its request: environment, packages, and the code of qaudit."""
    package = Path(__file__).parents[1]
    ours = sorted(path for path in package.rglob("*") if path.suffix in (".py", ".json") and path.is_file())
    pages = sorted(path for path in templates().rglob("*") if path.is_file())
    # qaudit in a checkout changes without its version, so its own files are part of the key
    code = hashlib.sha256()
    for path in (*ours, *pages):
        code.update(hashlib.sha256(path.read_bytes()).digest())
    installed = {name for folder in sys.path for name in _listed(folder) if name.endswith((".dist-info", ".egg-info"))}
    return {"environment": environment(), "spec": SPEC, "code": code.hexdigest(), "installed": sorted(installed)}


def package_digest(ref: PluginRef) -> str:
    """sha256 over the files of the plugin's whole top-level package, without an import: a plugin may import its neighbours."""
    top = ref.value.partition(":")[0].partition(".")[0].strip()
    spec = None
    with contextlib.suppress(ImportError, ValueError):
        spec = importlib.util.find_spec(top) if ref.file is None and top else None
    if spec is None or not spec.submodule_search_locations:
        return ref.digest
    digest = hashlib.sha256()
    for folder in map(Path, spec.submodule_search_locations):
        for file in sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc"):
            digest.update(f"{file.relative_to(folder)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _listed(folder: str) -> list[str]:
    with contextlib.suppress(OSError):
        return os.listdir(folder or ".")
    return []


def _version(name: str) -> str | None:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(name)
    return None


def _cpu() -> str:
    """Model name and the processor features that numpy's kernels choose from."""
    # numpy has no public function for the features from which it chose its kernels
    features: Mapping[str, bool] = np._core._multiarray_umath.__cpu_features__  # type: ignore[attr-defined]
    have = ", ".join(sorted(name for name, there in features.items() if there))
    return f"{_model_name()} ({have})"


def _model_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _blas() -> str:
    libraries = [
        f"{library['internal_api']} {library['version']} ({library.get('architecture', 'unknown kernel')})"
        for library in threadpool_info()
        if library["user_api"] == "blas"
    ]
    return "; ".join(sorted(set(libraries))) or "unknown"


def _library_version(names: tuple[str, ...], function: str) -> str | None:
    """The version that a C library reports; None where it is not installed."""
    for name in names:
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(ctypes.util.find_library(name) or name)
            call = getattr(library, function)
            call.restype = ctypes.c_char_p
            text = call()
            return text.decode("ascii", "replace") if text else None
    return None


def supported() -> str | None:
    """Why qaudit cannot run on this system, in one line; None where it can."""
    if sys.platform == "win32":
        return "native Windows is not supported: child processes cannot be limited there; use WSL2"
    return None
