"""The result store: what goes in comes out, what is damaged is absent, nothing is ever unpickled, and trouble stops no audit."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import random
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hosting import hooks_for
from mutants import mutants
from storage_steps import act_before_writes

from qaudit.cache.result_cache import Journal, ResultCache
from qaudit.cache.unit_cache import UnitCache, open_cache
from qaudit.errors import Refused
from qaudit.plugin_host.hooks import Hooks
from qaudit.sandbox import runner
from qaudit.sandbox.job import Call, Failure, Outcome, PluginRef

KEY, OTHER = "a" * 64, "b" * 64
ANSWER = {"zebra": [1, 0.1, None, "ü\ud800"], "apple": {"b": True, "a": 2**60}}
ARRAYS = {
    "z": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "a": np.array([1, -2], dtype=np.int8),
    "empty": np.zeros((0, 3)),
    "scalar": np.array(2.5, dtype=np.float32),
    "yes": np.array([True, False]),
    "odd": np.array([np.nan, -0.0, np.inf]),
}


@pytest.fixture
def results(tmp_path: Path) -> ResultCache:
    found = ResultCache(tmp_path / "store")
    found.put(KEY, Outcome(ANSWER, ARRAYS))
    return found


def test_what_goes_in_comes_out_in_the_same_order(results: ResultCache) -> None:
    found = results.get(KEY)
    assert found is not None
    assert json.dumps(found.answer) == json.dumps(ANSWER), "the order of keys is kept"
    assert list(found.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        kept = found.arrays[name]
        assert (kept.dtype, kept.shape, kept.flags.f_contiguous) == (array.dtype, array.shape, array.flags.f_contiguous), name
        assert kept.tobytes("A") == array.tobytes("A")
    assert results.get(OTHER) is None
    assert results.damaged == 0


def test_only_the_user_may_read(results: ResultCache) -> None:
    for folder, _, files in os.walk(results.folder):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        assert {stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) for name in files} <= {0o600}


def test_a_folder_open_to_others_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(Refused, match="others may write to it"):
        ResultCache(tmp_path / "open")


def test_an_answer_that_is_not_plain_json_is_not_kept(tmp_path: Path) -> None:
    found = ResultCache(tmp_path)
    found.put(KEY, Outcome({"value": float("nan")}, {}))
    assert found.get(KEY) is None
    assert os.listdir(found.folder) == []


def test_600_mutants_of_an_entry_are_all_absent(results: ResultCache) -> None:
    path = results.folder / KEY
    whole = path.read_bytes()
    for _, data in mutants({KEY: whole}, 600, seed=5):
        path.write_bytes(data)
        assert results.get(KEY) is None, data[:200]
    assert results.damaged == 600
    path.write_bytes(whole)
    assert results.get(KEY) is not None


def test_an_entry_torn_at_any_byte_is_absent(results: ResultCache) -> None:
    """A power cut may leave any part of an entry, or its length without its bytes: nothing waited for the disk."""
    path = results.folder / KEY
    whole = path.read_bytes()
    for end in range(len(whole)):
        for data in (whole[:end], whole[:end] + bytes(len(whole) - end)):
            path.write_bytes(data)
            assert results.get(KEY) is None, end
    assert results.put(KEY, Outcome(ANSWER, ARRAYS))
    assert results.get(KEY) is not None


def test_nothing_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    with monkeypatch.context() as patch:
        act_before_writes(patch, lambda step, path: steps.append(step), tmp_path)
        results, journal = ResultCache(tmp_path), Journal(tmp_path / "journals" / "x.jsonl")
        journal.begin()
        results.put(KEY, Outcome(ANSWER, ARRAYS))
        journal.note(unit=KEY)
    assert {"open", "write", "replace"} <= set(steps)
    assert "fsync" not in steps


class Bomb:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (open, (str(self.mark), "w"))


def test_pickles_in_the_place_of_answers_are_never_executed(results: ResultCache, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    bomb = pickle.dumps(Bomb(mark))
    objects = tmp_path / "objects.npy"
    np.save(objects, np.array([Bomb(mark)], dtype=object), allow_pickle=True)
    mark.unlink(missing_ok=True)
    path = results.folder / KEY
    for data in (bomb, objects.read_bytes()):
        for header in (b"", *(objects_header(dtype) for dtype in ("O", "V8", "M8[ns]", "U4"))):
            entry = header + data
            for written in (entry, entry + hashlib.sha256(entry).digest()):  # the second bears its own digest
                path.write_bytes(written)
                assert results.get(KEY) is None
    assert results.damaged == 20
    assert not mark.exists()


def objects_header(dtype: str) -> bytes:
    return json.dumps({"key": KEY, "answer": {}, "arrays": [["x", dtype, [1], "C"]]}).encode() + b"\n"


def test_swapped_and_linked_entries_are_absent(results: ResultCache, tmp_path: Path) -> None:
    results.put(OTHER, Outcome({"other": 1}, {}))
    one, two = results.folder / KEY, results.folder / OTHER
    one.rename(tmp_path / "kept")
    two.rename(one)
    (tmp_path / "kept").rename(two)
    assert (results.get(KEY), results.get(OTHER)) == (None, None)
    results.put(OTHER, Outcome({"other": 1}, {}))
    one.symlink_to(two)
    assert results.get(KEY) is None
    assert not one.is_symlink()
    results.put(KEY, Outcome(ANSWER, ARRAYS))
    one.rename(tmp_path / "real")
    one.symlink_to(tmp_path / "real")
    assert results.get(KEY) is None, "a link to a whole entry"
    one.mkdir()
    (one / "file").write_text("a folder in the place of an entry")
    assert results.get(KEY) is None
    assert not one.exists()
    assert results.get(OTHER) is not None


def test_what_an_earlier_release_or_a_killed_writer_left_goes_in_its_turn(results: ResultCache) -> None:
    old = results.folder / OTHER
    old.mkdir()
    (old / "array.npy").write_bytes(bytes(50_000))
    (results.folder / "tmpabc").write_bytes(bytes(50_000))
    for age, path in enumerate((old, results.folder / "tmpabc")):
        os.utime(path, (1000 + age, 1000 + age))
    assert [path.name for _, size, path in results.sizes() if size == 50_000] == [OTHER, "tmpabc"]
    results.trim(10_000)
    assert os.listdir(results.folder) == [KEY]


def test_the_entry_used_longest_ago_goes_first_and_never_this_runs_own(tmp_path: Path) -> None:
    keys = [f"{number:064x}" for number in range(5)]
    for age, key in enumerate(keys):
        ResultCache(tmp_path).put(key, Outcome({"n": age}, {"x": np.zeros(1000)}))
        os.utime(ResultCache(tmp_path).folder / key, (1000 + age, 1000 + age))
    results = ResultCache(tmp_path)
    assert results.get(keys[0]) is not None, "used now, so no longer the oldest"
    results.trim(3 * 8200)
    assert sorted(os.listdir(results.folder)) == [keys[0], keys[3], keys[4]]
    results.trim(0)
    assert os.listdir(results.folder) == [keys[0]]


def test_journal_tells_of_a_broken_run_and_passes_over_torn_lines(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journals" / "x.jsonl")
    assert journal.broken_off() is None
    journal.begin()
    journal.note(unit="1")
    journal.note(unit="2")
    with open(journal.path, "a") as file:
        file.write('{"unit": "3", "ta')
    began = journal.broken_off()
    assert began is not None
    assert began[1] == 2
    journal.note(unit="4")
    again = journal.broken_off()
    assert again is not None
    assert again[1] == 3
    journal.note(ended=True)
    assert journal.broken_off() is None


def test_journals_of_long_ago_go(tmp_path: Path) -> None:
    old, young = Journal(tmp_path / "old.jsonl"), Journal(tmp_path / "young.jsonl")
    old.begin()
    young.begin()
    os.utime(old.path, (1000, 1000))
    Journal(tmp_path / "new.jsonl").begin()
    assert sorted(os.listdir(tmp_path)) == ["new.jsonl", "young.jsonl"]


def test_a_result_that_is_too_large_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qaudit.cache.result_cache.LARGEST", 79)
    results = ResultCache(tmp_path)
    results.put(KEY, Outcome({}, {"x": np.zeros(10)}))
    results.put(OTHER, Outcome({}, {"x": np.zeros(9)}))
    assert os.listdir(results.folder) == [OTHER]


def test_600_mutants_of_a_journal_are_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "x.jsonl")
    journal.begin()
    for number in range(5):
        journal.note(unit=str(number))
    whole = {"x.jsonl": journal.path.read_bytes()}
    for _, data in mutants(whole, 600, seed=6):
        journal.path.write_bytes(data)
        found = journal.broken_off()
        assert found is None or 0 <= found[1] <= 12


def cached(cache: UnitCache, jobs: int = 2) -> Hooks:
    """Hooks that ask this cache first, as those of an audit do."""
    return hooks_for((), cache=cache, jobs=jobs)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every unit that was really run; a unit answers with its own number."""
    done: list[str] = []

    def run(task: str, request: Any, arrays: Any = None, **more: Any) -> Outcome:
        done.append(task)
        failure = Failure("raised", "start", "broken", "plugin") if task == "fails" else None
        return Outcome({"number": len(done)}, {}, failure)

    monkeypatch.setattr(runner, "run", run)
    return done


REF = PluginRef("quantizer", "q", "package.q", "dist", "1", "d" * 64)


def test_a_unit_is_run_once_for_all_that_its_answer_depends_on(ran: list[str], tmp_path: Path) -> None:
    model = tmp_path / "a" / "model"
    copy = tmp_path / "b" / "model"
    for path in (model, copy):
        path.parent.mkdir()
        path.write_text("model")
    base = {"request": {"model": str(model), "seed": 1}, "arrays": {"x": np.arange(3.0)}, "plugins": (REF,)}

    def asked(task: str = "encode", facts: str = "1", around: str = "p", **changed: Any) -> int:
        units = cached(UnitCache(ResultCache(tmp_path / "store"), {"facts": facts}, around=lambda ref: around))
        call = {**base, **changed}
        number: int = units.run(task, call["request"], call["arrays"], plugins=call["plugins"]).answer["number"]
        return number

    first = asked()
    assert asked() == first
    assert asked(request={"model": str(copy), "seed": 1}) == first, "where the file lies does not matter"
    others = [
        asked(task="predict"),
        asked(facts="2"),
        asked(around="q"),
        asked(request={"model": str(model), "seed": 2}),
        asked(arrays={"x": np.arange(3)}),
        asked(arrays={"x": np.arange(3.0).reshape(1, 3)}),
        asked(arrays={"y": np.arange(3.0)}),
        asked(plugins=(PluginRef("quantizer", "q", "package.q", "dist", "2", "d" * 64),)),
        asked(plugins=()),
    ]
    model.write_text("other model")
    others.append(asked())
    assert len({first, *others}) == 11
    assert asked() == others[-1]


def test_failures_and_the_question_of_trust_are_always_asked(ran: list[str], tmp_path: Path) -> None:
    cache = UnitCache(ResultCache(tmp_path), {})
    units = cached(cache)
    for task in ("fails", "fails", "recognise", "recognise", "encode", "encode"):
        units.run(task, {})
    assert ran == ["fails", "fails", "recognise", "recognise", "encode"]
    assert (cache.ran, cache.kept) == (5, 1)


def test_fresh_looks_nothing_up_and_none_keeps_nothing(ran: list[str], tmp_path: Path) -> None:
    for fresh, wanted in ((False, 1), (False, 1), (True, 2), (False, 2)):
        cached(UnitCache(ResultCache(tmp_path), {}, fresh=fresh)).run("encode", {})
        assert len(ran) == wanted
    assert cached(UnitCache(ResultCache(tmp_path), {})).run("encode", {}).answer == {"number": 2}, (
        "the fresh answer took the old one's place"
    )
    before = os.listdir(tmp_path / "results")
    cached(UnitCache(None, {})).run("predict", {})
    assert os.listdir(tmp_path / "results") == before


def test_answers_come_in_the_order_of_the_calls(ran: list[str], tmp_path: Path) -> None:
    calls = [Call("encode", {"seed": number}) for number in range(20)]
    first = cached(UnitCache(ResultCache(tmp_path), {}), jobs=4).run_many(calls)
    again = cached(UnitCache(ResultCache(tmp_path), {}), jobs=4).run_many(calls[::-1])
    assert [each.answer for each in again] == [each.answer for each in first][::-1]
    assert len(ran) == 20


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every step of a write from the number in the list on raises ENOSPC."""
    left = [0]

    def fail(step: str, path: Path) -> None:
        if step == "unlink":  # removing a file works on a full disk
            return
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    act_before_writes(monkeypatch, fail, tmp_path)
    return left


def test_a_full_disk_under_the_store_is_told_once_and_stops_nothing(ran: list[str], failing: list[int], tmp_path: Path) -> None:
    for first in range(60):
        failing[0] = 1000
        cache = UnitCache(ResultCache(tmp_path / str(first)), {}, journal=Journal(tmp_path / str(first) / "j"))
        units = cached(cache)
        failing[0] = first
        answers = [units.run("encode", {"seed": seed}).answer["number"] for seed in range(3)]
        assert answers == [len(ran) - 2, len(ran) - 1, len(ran)]
        if not cache.notes:
            break
        assert len(cache.notes) == 1
        assert "No space left on device" in cache.notes[0]
    assert first == 18, "six steps a unit: its temporary file, two writes, its final name, two of the journal"


def test_a_unit_is_called_finished_only_after_its_result_is_kept(
    ran: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, Path]] = []
    results, journal = ResultCache(tmp_path), Journal(tmp_path / "j")
    act_before_writes(monkeypatch, lambda step, path: steps.append((step, path)), tmp_path)
    cached(UnitCache(results, {}, journal=journal)).run("encode", {})
    (entry,) = results.folder.iterdir()
    named = [each for each in steps if each[0] != "unlink"]
    assert named[-3:] == [("replace", entry), ("open", journal.path), ("write", journal.path)]


def test_what_is_not_kept_is_not_called_finished(ran: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "j")
    journal.note(began="today")
    monkeypatch.setattr(ResultCache, "put", lambda results, key, outcome: False)
    cached(UnitCache(ResultCache(tmp_path), {}, journal=journal)).run("encode", {})
    assert journal.broken_off() == ("today", 0)


def test_a_folder_is_the_users_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        found = ResultCache(tmp_path / "made" / "store")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(os.stat(each).st_mode) for each in (found.folder, *list(found.folder.parents)[:2])] == [0o700] * 3


def test_without_a_home_nothing_is_kept_and_it_is_told(ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("QAUDIT_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", none)
    cache = open_cache({}, {}, "use", lambda ref: "", lambda line: None)
    assert cached(cache).run("encode", {}).answer == {"number": 1}
    assert cache.notes == ["store: results are not kept: no home folder; set QAUDIT_HOME"]


def test_a_full_device_is_a_full_device() -> None:
    with pytest.raises(OSError, match="No space left on device"):
        Journal(Path("/dev/full")).note(unit="1")


def test_two_orders_of_the_same_mutants() -> None:
    assert list(mutants({"x": b"0123456789"}, 50, seed=1)) == list(mutants({"x": b"0123456789"}, 50, seed=1))
    assert all(data != b"0123456789" for _, data in mutants({"x": b"0123456789"}, 300, seed=random.Random(1).randint(0, 9)))
