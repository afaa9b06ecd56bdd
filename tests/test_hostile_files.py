"""Files of strangers: refused in one line, by content and not by extension, within seconds and a gigabyte."""

from __future__ import annotations

import dataclasses
import functools
import io
import os
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import skops.io
from hosting import hooks_for
from sklearn.linear_model import LogisticRegression

from qaudit.errors import Refused
from qaudit.inputs.data import open_source, read_bytes
from qaudit.pipeline.stages.load import LoadRequest, load
from qaudit.plugin_host.discovery import PluginHost
from qaudit.plugin_host.hooks import Hooks
from qaudit.sandbox import runner
from qaudit.sandbox.job import Call, Limits, Outcome

FORMATS = PluginHost.discover().select("format")
GIGABYTE = 2**30


def limited(call: Call, seconds: float = 10.0) -> Outcome:
    """The unit with the limits of these tests: ten seconds, a gigabyte."""
    return runner.run_call(dataclasses.replace(call, limits=Limits(seconds=seconds, memory=GIGABYTE)))


def hooks(seconds: float = 10.0) -> Hooks:
    """The hooks of an audit whose units have those limits."""
    return hooks_for(FORMATS, functools.partial(limited, seconds=seconds))


def rows(n: int = 60) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    X = pd.DataFrame(draw.normal(size=(n, 3)), columns=["a", "b", "c"])
    return X.assign(answer=np.where(X["a"] > 0, "yes", "no"))


@pytest.fixture
def asked(tmp_path: Path) -> LoadRequest:
    rows().to_csv(tmp_path / "holdout.csv", index=False)
    return LoadRequest(tmp_path / "model.skops", tmp_path / "holdout.csv", "answer", positive="yes", workdir=tmp_path / "copy")


def fitted() -> LogisticRegression:
    table = rows()
    return LogisticRegression().fit(table[["a", "b", "c"]], table["answer"])


def zipped(path: Path, **members: bytes) -> None:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)


def many(path: Path) -> None:
    with ZipFile(path, "w") as archive:
        archive.writestr("schema.json", "{}")
        for number in range(100_000):
            archive.writestr(str(number), "")


def seven_tebibytes(path: Path) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    zipped(path, schema__json=b'{"__loader__": "ListNode", "content": []}', x__npy=head.getvalue())


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(7 * 2**40)


def link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def link_to_folder(path: Path) -> None:
    path.symlink_to(path.parent)


HOSTILE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "pickle": (
        lambda path: path.write_bytes(pickle.dumps(fitted())),
        "can run code from it; if you trust it, pass --trust sha256:",
    ),
    "bomb": (lambda path: zipped(path, schema__json=b" " * (300 * 2**20)), "schema.json"),
    "members": (many, "100001 members in the archive; at most 100000 are read"),
    "nested in zip": (lambda path: zipped(path, schema__json=b"[" * 10**6), "schema.json is missing or not readable"),
    "nested": (lambda path: path.write_bytes(b"[" * 10**6), "no model format recognises this file"),
    "huge array": (seven_tebibytes, "'x.npy' promises 8000000000000 bytes of float64 and holds 128"),
    "sparse": (sparse, "has 7696581394432 bytes; at most 4294967296 are read"),
    "pipe": (os.mkfifo, "not a regular file"),
    "folder": (Path.mkdir, "is a folder; a file is wanted"),
    "link": (link, "is a symlink to nothing"),
    "link to folder": (link_to_folder, "is a symlink to a folder"),
    "empty": (Path.touch, "is empty"),
    "half": (lambda path: path.write_bytes(skops.io.dumps(fitted())[:700]), "no model format recognises this file"),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in ("bomb", "members") else n for n in HOSTILE])
def test_refused_in_one_line(name: str, asked: LoadRequest) -> None:
    make, text = HOSTILE[name]
    make(asked.model)
    limited(Call("echo", {}))  # the fork server is not what is timed
    began = time.monotonic()
    with pytest.raises(Refused) as caught:
        load(asked, hooks())
    assert time.monotonic() - began < 10
    said = str(caught.value)
    assert text in said
    assert "\n" not in said
    assert "memory" not in said, "stopped by a limit of the test, not by a check"
    assert len(said) < 700


def test_a_growing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "growing.csv"
    path.write_bytes(b"a,b\n" * 10**6)
    stop = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"1,2\n" * 1000)

    def often() -> None:
        for _ in range(50):
            read_bytes(path)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(Refused, match="changed while it was read"):
            often()
    finally:
        stop.set()
        writer.join()


def test_a_symlink_is_followed_and_said(asked: LoadRequest) -> None:
    target = asked.model.with_name("real.bin")
    skops.io.dump(fitted(), target)
    asked.model.symlink_to(target)
    lines: list[str] = []
    subject = load(asked, hooks(), progress=lines.append)
    assert lines[0] == "load: model.skops, a symlink to real.bin"
    assert not subject.model.is_symlink()
    assert subject.model.parent.stat().st_mode & 0o777 == 0o700
    assert subject.model.stat().st_mode & 0o777 == 0o600


CRASH = """
import ctypes, time
from sklearn.linear_model import LogisticRegression
LogisticRegression.predict_proba = lambda self, X: {body}
"""


class Spoilt:
    """A pickle that loads as a working model whose predictions do not."""

    def __init__(self, body: str) -> None:
        self.body = body

    def __reduce__(self) -> Any:
        code = f"(exec({CRASH.format(body=self.body)!r}, {{}}), __import__('pickle').loads({pickle.dumps(fitted())!r}))[1]"
        return (eval, (code,))


class FallsWhileLoading:
    def __reduce__(self) -> Any:
        return (eval, ("__import__('ctypes').string_at(0)",))


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (Spoilt("ctypes.string_at(0)"), "model.skops: the model crashed (SIGSEGV) while predicting"),
        (Spoilt("time.sleep(600)"), "model.skops: the model timed out after 3 s while predicting"),
        (FallsWhileLoading(), "model.skops: the model crashed (SIGSEGV) while loading the model"),
    ],
)
def test_a_model_that_crashes_is_named_as_the_cause(model: Any, text: str, asked: LoadRequest, monkeypatch: Any) -> None:
    asked.model.write_bytes(pickle.dumps(model))
    with pytest.raises(Refused, match="--trust") as refused:
        load(asked, hooks())
    trusted = dataclasses.replace(asked, trust={str(refused.value).rpartition(" ")[2]})
    with pytest.raises(Refused) as caught:
        load(trusted, hooks(seconds=3.0))
    assert str(caught.value) == text


def test_a_wide_table(tmp_path: Path) -> None:
    wide = pd.DataFrame(np.arange(10_000.0).reshape(2, 5000), columns=[f"f{i}" for i in range(5000)])
    wide.to_csv(tmp_path / "wide.csv", index=False)
    source = open_source(tmp_path / "wide.csv")
    assert len(source.names) == 5000
    assert source.numbers("f4999").tolist() == [4999.0, 9999.0]
    with pytest.raises(Refused, match="no column 'f5000'; did you mean") as caught:
        source.numbers("f5000")
    assert len(str(caught.value)) < 300


def test_a_long_table(tmp_path: Path) -> None:
    values = np.arange(1_000_000)
    (tmp_path / "long.csv").write_text("a,b\n" + "\n".join(f"{value},x{value % 7}" for value in values) + "\n")
    began = time.monotonic()
    source = open_source(tmp_path / "long.csv")
    assert source.rows == 1_000_000
    np.testing.assert_array_equal(source.numbers("a"), values)
    assert set(source.texts("b")) == {f"x{i}" for i in range(7)}
    assert time.monotonic() - began < 20


def test_a_cell_of_a_megabyte(tmp_path: Path) -> None:
    path = tmp_path / "cell.csv"
    path.write_text(f"a,b\n{'x' * 2**20},1\nshort,one\n")
    source = open_source(path)
    assert [len(text) for text in source.texts("a")] == [2**20, 5]
    with pytest.raises(Refused, match=r"cell\.csv: column 'b', row 2: 'one' is not a number"):
        source.numbers("b")
    with pytest.raises(Refused, match="is not a number") as caught:
        source.numbers("a")
    assert len(str(caught.value)) < 200
    path.write_text(f"{'n' * 2**20},b\n1,2\n")
    with pytest.raises(Refused, match="the first line is not readable as CSV"):
        open_source(path)
    path.write_text(f"a,b\n{'x' * 2**20},1,2\n")
    with pytest.raises(Refused, match=r"cell\.csv: ") as caught:
        open_source(path)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a,b\n1,\x00\n", "byte 6 is NUL"),
        (b"a,b\n1,\xed\xa0\x80\n", "not UTF-8 at byte 6 (0xed)"),
        (b"a,\xed\xa0\x80\n1,2\n", "not UTF-8 at byte 2 (0xed)"),
    ],
)
def test_nul_and_lone_surrogates_are_named_by_their_byte(data: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(data)
    with pytest.raises(Refused) as caught:
        open_source(path)
    assert text in str(caught.value)


def test_text_that_is_not_utf8_in_parquet(tmp_path: Path) -> None:
    broken = pa.StringArray.from_buffers(1, pa.array([0, 3], pa.int32()).buffers()[1], pa.py_buffer(b"\xed\xa0\x80"))
    pa.parquet.write_table(pa.table({"a": broken}), tmp_path / "odd.parquet")
    with pytest.raises(Refused, match=r"odd\.parquet: .*(UTF-8|utf-8|UTF8)"):
        open_source(tmp_path / "odd.parquet").texts("a")
