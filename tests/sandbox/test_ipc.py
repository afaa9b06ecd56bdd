"""What a child may have written: the host takes plain numbers of the stated size from plain files, and nothing else."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaudit.sandbox.ipc import BrokenAnswer, plain_reason, read_answer, read_array, read_json, read_phase


def saved(array: np.ndarray, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=pickled)
    return buffer.getvalue()


GOOD = saved(np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "without an .npy header"),
        (b"\x93NUMPY\x09\x00", "without an .npy header"),
        (GOOD[:-8], "40 bytes, its header says 48"),
        (GOOD + b"x", "49 bytes, its header says 48"),
        (GOOD.replace(b"(2, 3)", b"(2, 9)"), "48 bytes, its header says 144"),
        (GOOD.replace(b"(2, 3)", b"(-2,3)"), "unreadable shape"),
        (GOOD.replace(b"'descr'", b"'discr'"), "unreadable header"),
        (saved(np.array([{"a": 1}], dtype=object), pickled=True), "dtype object, expected numbers"),
        (saved(np.array(["a", "b"])), "expected numbers"),
        (saved(np.zeros(2, dtype=[("a", "f8")])), "expected numbers"),
        (saved(np.array(["2020-01-01"], dtype="M8[D]")), "expected numbers"),
    ],
)
def test_arrays_are_checked_before_they_are_loaded(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "0.npy").write_bytes(data)
    with pytest.raises(BrokenAnswer, match=message):
        read_array(tmp_path / "0.npy", 10**6)


def test_size_limit_holds_before_loading(tmp_path: Path) -> None:
    (tmp_path / "0.npy").write_bytes(GOOD)
    with pytest.raises(BrokenAnswer, match="larger than the limit of 100 bytes"):
        read_array(tmp_path / "0.npy", 100)
    np.testing.assert_array_equal(read_array(tmp_path / "0.npy", 1000), np.arange(6.0).reshape(2, 3))


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real.npy").write_bytes(GOOD)
    (tmp_path / "link.npy").symlink_to(tmp_path / "real.npy")
    os.mkfifo(tmp_path / "pipe.npy")
    for name in ("link.npy", "pipe.npy", "absent.npy"):
        with pytest.raises(BrokenAnswer, match=name):
            read_array(tmp_path / name, 1000)


@pytest.mark.parametrize("name", ["../secret.npy", "/etc/passwd", "0.npy/../1.npy", 3, "0.pkl"])
def test_an_answer_names_its_own_files_only(name: object, tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text(json.dumps({"answer": {}, "arrays": {"x": name}}))
    with pytest.raises(BrokenAnswer, match="outside its folder"):
        read_answer(tmp_path, 1000)


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 200000, "nul"])
def test_what_is_no_object_is_broken(text: str, tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text(text)
    with pytest.raises(BrokenAnswer):
        read_json(tmp_path / "answer.json")


def test_phase_is_one_short_plain_line(tmp_path: Path) -> None:
    assert read_phase(tmp_path) == "start"
    (tmp_path / "phase").write_bytes(b"pre\x1bdict\nmore" + b"x" * 10000)
    assert read_phase(tmp_path) == "pre<U+001B>dict"


@given(st.text(max_size=2000))
def test_reasons_are_one_printable_bounded_line(text: str) -> None:
    shown = plain_reason(text)
    assert len(shown) <= 300
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc", "a b c"),
        ("<object at 0x7f00aa> in /srv/x/y.py, line 3", "<object at 0x...> in y.py, line 3"),
        ("'/home/u/model.skops'", "'model.skops'"),
        ("1/2 and a/b stay", "1/2 and a/b stay"),
        ("approved\u202edenied", "approved<U+202E>denied"),
    ],
)
def test_reasons_name_no_machine(text: str, shown: str) -> None:
    assert plain_reason(text) == shown
