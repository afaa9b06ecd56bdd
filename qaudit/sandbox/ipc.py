"""The folder through which host and child exchange data: one JSON file and numeric .npy files each way, never a pickle.

    request.json   task, request, plugins, limits; arrays: {name: file}        written by the host
    in/N.npy       arrays of the request
    phase          the step the child is taking, in the first bytes            written by the child
    out/N.npy      arrays of the answer
    answer.json    answer and arrays, or a failure; written last               written by the child

The child is not trusted, since it runs foreign code: the host reads regular files only, checks sizes before it loads an array,
and accepts numeric arrays only.
"""

from __future__ import annotations

import ast
import json
import math
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from qaudit.core.json_values import Json
from qaudit.core.printable import printable

ANSWER_BYTES = 256 * 2**20
REASON_CHARS = 300
PHASE_BYTES = 120
KINDS = "biuf"

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{4,}\b")
_PATH = re.compile(r"(?<![\w.:/])/(?:[^\s/'\"<>|]+/)+([^\s/'\"<>|,;:)\]]*)")


class BrokenAnswer(Exception):
    """What a child wrote cannot be accepted as an answer; the message says why."""


def plain_reason(text: str, limit: int = REASON_CHARS) -> str:
    """One printable line of at most `limit` characters: control and bidi characters are shown as <U+202E>.

    Memory addresses and folders are removed, because the same fault must give the same bytes on every machine.
    """
    short = text[: limit * 8]
    short = _PATH.sub(lambda match: match.group(1) or "...", _ADDRESS.sub("0x...", short))
    line = " ".join(part for part in re.split(r"[\n\r\t\f\v]+", short) if part.strip())
    shown = printable(line).strip()
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def text_of(error: BaseException) -> str:
    """The text of an exception of foreign code, whose `__str__` may itself raise."""
    try:
        return str(error)
    except BaseException:
        return "(its text cannot be made)"


def named(error: BaseException) -> str:
    """An exception as "ValueError: text". A long text is cut here already, because cleaning it would take long."""
    name, text = type(error).__name__[:60], text_of(error)[: REASON_CHARS * 8]
    return f"{name}: {text}" if text else name


def write_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Save numeric arrays as 0.npy, 1.npy ... and return {name: file}. Raises BrokenAnswer for any other dtype."""
    folder.mkdir(mode=0o700, exist_ok=True)
    files: dict[str, str] = {}
    for number, (name, value) in enumerate(arrays.items()):
        array = np.asarray(value)
        if array.dtype.kind not in KINDS:
            raise BrokenAnswer(f"array {str(name)!r} has dtype {array.dtype}, expected numbers or booleans")
        files[str(name)] = f"{number}.npy"
        np.save(folder / f"{number}.npy", array, allow_pickle=False)
    return files


def read_array(path: Path, budget: int) -> NDArray[Any]:
    """Read one .npy file after checking its kind, header and size. Raises BrokenAnswer; `budget` in bytes."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > budget:
            raise BrokenAnswer(f"the answer is larger than the limit of {budget} bytes")
        return array_in(file, size)


def array_in(file: BinaryIO, size: int) -> NDArray[Any]:
    """The numeric array in an open .npy file of `size` bytes. Raises BrokenAnswer where header and size disagree."""
    shape, fortran, dtype = _header(file)
    body = math.prod(shape) * dtype.itemsize
    if size - file.tell() != body:
        raise BrokenAnswer(f"array file of {size - file.tell()} bytes, its header says {body}")
    data = np.frombuffer(file.read(body), dtype=dtype)
    return data.reshape(shape, order="F" if fortran else "C")


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the order is Fortran's, and dtype from the header of an .npy file (format 1.0 or 2.0). Raises BrokenAnswer.

    The header is parsed here and not by numpy, which would allocate the memory that a forged shape asks for.
    """
    magic = file.read(8)
    if magic[:6] != b"\x93NUMPY" or magic[6:7] not in (b"\x01", b"\x02"):
        raise BrokenAnswer("array file without an .npy header")
    width = 2 if magic[6:7] == b"\x01" else 4
    length = int.from_bytes(file.read(width), "little")
    if length > 65536:
        raise BrokenAnswer("array file with an oversized header")
    try:
        header = ast.literal_eval(file.read(length).decode("latin1"))
        shape, fortran, described = header["shape"], header["fortran_order"], header["descr"]
        dtype = np.dtype(described) if isinstance(described, str) else np.dtype(object)
    except (ValueError, SyntaxError, KeyError, TypeError) as error:
        raise BrokenAnswer("array file with an unreadable header") from error
    if dtype.kind not in KINDS:
        raise BrokenAnswer(f"array of dtype {dtype}, expected numbers or booleans")
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and 0 <= n < 2**48 for n in shape) or len(shape) > 8:
        raise BrokenAnswer("array file with an unreadable shape")
    return shape, bool(fortran), dtype


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading without following a link. Raises BrokenAnswer for a link, a pipe or a missing file."""
    try:
        # without O_NONBLOCK opening a pipe that the child put there would wait for ever
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise BrokenAnswer(f"{path.name}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BrokenAnswer(f"{path.name}: not a regular file")
    return os.fdopen(handle, "rb")


def read_json(path: Path, limit: int = ANSWER_BYTES) -> Json:
    """Read one JSON object of at most `limit` bytes. Raises BrokenAnswer."""
    with open_regular(path) as file:
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise BrokenAnswer(f"{path.name} is larger than {limit} bytes")
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BrokenAnswer(f"{path.name} is not JSON") from error
    if not isinstance(value, dict):
        raise BrokenAnswer(f"{path.name} holds no JSON object")
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write one JSON object under a temporary name and rename it, so that a reader sees the whole file or none."""
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(value), encoding="utf-8")
    os.replace(partial, path)


def read_phase(folder: Path) -> str:
    """The last phase that the child announced; "start" where it announced none."""
    try:
        with open_regular(folder / "phase") as file:
            text = file.read(PHASE_BYTES).decode("utf-8", "replace")
    except BrokenAnswer:
        return "start"
    return plain_reason(text.split("\n")[0], 60) or "start"


def read_answer(folder: Path, budget: int) -> tuple[Json, dict[str, NDArray[Any]]]:
    """The answer object and its arrays, which together may hold `budget` bytes. Raises BrokenAnswer."""
    answer = read_json(folder / "answer.json", min(budget, ANSWER_BYTES))
    files = answer.get("arrays", {})
    if not isinstance(files, dict):
        raise BrokenAnswer("answer.json: arrays is not an object")
    arrays: dict[str, NDArray[Any]] = {}
    for name, file in files.items():
        if not isinstance(file, str) or not re.fullmatch(r"\d{1,6}\.npy", file):
            raise BrokenAnswer("answer.json names a file outside its folder")
        arrays[name] = read_array(folder / "out" / file, budget)
        budget -= arrays[name].nbytes
    return answer, arrays
