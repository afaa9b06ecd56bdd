"""Keys of rows against a twin in plain integers; what changes a key and what does not."""

from __future__ import annotations

import math
import struct
from hashlib import blake2b
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaudit.core.inference.row_keys import cluster_keys, content_keys, first_half, mix, numbered, row_keys

MASK = 2**64 - 1


def slow_mix(state: int) -> int:
    z = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def slow_text(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def slow_cell(value: Any) -> int:
    if value is None or value != value:
        return 0x7FF8000000000000
    if isinstance(value, str):
        return slow_text(value)
    if value == 0:
        return 0
    if isinstance(value, int) and int(float(value)) != value:
        return slow_mix((value & MASK) ^ (0x94D049BB133111EB + (value < 0)))
    return int(struct.unpack("<Q", struct.pack("<d", float(value)))[0])


def slow_key(row: dict[str, Any], count: int) -> int:
    key = 0
    for name in sorted(row):
        key = slow_mix(key ^ slow_mix(slow_cell(row[name]) ^ slow_text(name)))
    return slow_mix(key ^ slow_mix(count))


def test_mix_makes_the_published_sequence() -> None:
    """The first numbers of SplitMix64 from the seed 1234567."""
    states = (1234567 + np.arange(5, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
    assert mix(states).tolist() == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821,
    ]  # fmt: skip


NUMBERS = st.floats(allow_nan=True) | st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf, 5e-324])
TEXTS = st.none() | st.text(max_size=4) | st.sampled_from(["", "a", "\udc80"])
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2) | st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1])


@given(st.lists(st.tuples(NUMBERS, TEXTS, INTEGERS), max_size=12))
def test_keys_equal_their_slow_twin(rows: list[tuple[float, str | None, int]]) -> None:
    columns = {
        "x": np.array([row[0] for row in rows], dtype=np.float64),
        "purpose": np.array([row[1] for row in rows], dtype=object),
        "count": np.array([row[2] for row in rows], dtype=np.int64),
    }
    seen: dict[int, int] = {}
    expected = []
    for row in rows:
        named = dict(zip(columns, row, strict=True))
        content = slow_key(named, 0)
        expected.append(slow_key(named, seen.get(content, 0)))
        seen[content] = seen.get(content, 0) + 1
    assert row_keys(columns).tolist() == expected
    assert len(set(expected)) == len(rows)


@given(st.permutations(range(30)), st.integers(0, 30))
def test_order_of_rows_columns_and_blocks_changes_no_key(order: list[int], cut: int) -> None:
    number = np.arange(30) % 7 / 3.0
    text = np.array(["a", None, "b"] * 10, dtype=object)
    keys = row_keys({"number": number, "text": text})
    moved = {"text": text[order], "number": number[order]}
    assert sorted(row_keys(moved).tolist()) == sorted(keys.tolist())
    # rows that differ keep their own keys
    first = {(number[i], text[i]): keys[i] for i in reversed(range(30))}
    here = {(moved["number"][i], moved["text"][i]): row_keys(moved)[i] for i in reversed(range(30))}
    assert first == here
    blocks = [content_keys({name: values[part] for name, values in moved.items()}) for part in (slice(cut), slice(cut, 30))]
    assert np.array_equal(numbered(np.concatenate(blocks)), row_keys(moved))


def key(value: Any, kind: Any = None) -> int:
    return int(content_keys({"x": np.array([value], dtype=kind)})[0])


def test_numbers_are_keyed_by_value_and_not_by_type() -> None:
    assert key(1.0) == key(1) == key(True) == key(1, np.uint8) == key(1.0, np.float32) == key(1, object) == key(1.0, object)
    assert key(0.0) == key(-0.0) == key(0)
    assert key(2**60) == key(2.0**60)
    assert key(2**63, np.uint64) == key(2.0**63)
    assert key(-(2**63)) == key(-(2.0**63))
    other_nan = np.array([0xFFF8000000000001], dtype=np.uint64).view(np.float64)[0]
    assert key(math.nan) == key(other_nan) == key(None, object) == key(math.nan, object)


def test_what_differs_has_another_key() -> None:
    assert key("1", object) != key(1.0)
    assert key("", object) != key(None, object)
    assert key(2**53 + 1) != key(2**53)
    assert key(2**64 - 1, np.uint64) != key(-1)
    assert key(2**64 - 1, np.uint64) != key(2.0**64)
    assert key(2**63 + 1, np.uint64) != key(-(2**63) + 1)
    one = np.array([1.0])
    assert content_keys({"a": one, "b": one * 2}) != content_keys({"a": one * 2, "b": one})
    assert content_keys({"a": one}) != content_keys({"b": one})
    assert key("a", object) == key("a", "U1") != key("b", object)


def test_keys_spread_over_all_bits() -> None:
    keys = row_keys({"x": np.arange(20_000.0)})
    ones = np.array([np.mean((keys >> np.uint64(bit)) & np.uint64(1)) for bit in range(64)])
    assert np.abs(ones - 0.5).max() < 4.5 * 0.5 / math.sqrt(20_000)
    assert abs(first_half(keys).mean() - 0.5) < 4 * 0.5 / math.sqrt(20_000)
    assert 0.2 < np.mean(first_half(keys) == first_half(keys, 1)) < 0.8


def test_the_half_of_a_row_is_its_own() -> None:
    keys = row_keys({"x": np.arange(50.0)})
    order = np.random.default_rng(0).permutation(50)
    assert np.array_equal(first_half(keys[order]), first_half(keys)[order])


def test_rows_of_a_cluster_share_a_key() -> None:
    keys = cluster_keys(np.array(["a", "b", "a"], dtype=object))
    assert keys[0] == keys[2] != keys[1]
    with pytest.raises(ValueError, match="2 rows belong to no cluster"):
        cluster_keys(np.array([1.0, math.nan, math.nan]))
    with pytest.raises(ValueError, match="1 rows belong to no cluster"):
        cluster_keys(np.array(["a", None], dtype=object))


def test_what_has_no_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one column"):
        row_keys({})
    with pytest.raises(ValueError, match="different lengths"):
        row_keys({"a": np.zeros(2), "b": np.zeros(3)})
    with pytest.raises(TypeError, match="datetime64"):
        row_keys({"a": np.array(["2020-01-01"], dtype="datetime64[D]")})
    values = np.empty(1, dtype=object)
    values[0] = (1, 2)
    with pytest.raises(TypeError, match="a cell of type tuple"):
        row_keys({"a": values})


def test_no_rows() -> None:
    assert row_keys({"x": np.zeros(0)}).tolist() == []


def test_the_half_is_the_highest_bit_of_the_mixed_key() -> None:
    keys = row_keys({"x": np.arange(40.0)})
    for seed in (0, 3):
        expected = [slow_mix(each ^ slow_mix(seed)) >> 63 == 0 for each in keys.tolist()]
        assert first_half(keys, seed).tolist() == expected
    assert first_half(keys).tolist() == first_half(keys, 0).tolist()


def test_large_integers_that_a_float_equals_have_its_key() -> None:
    assert key(2**62) == key(2.0**62)
    assert key(2**63 - 1024) == key(2.0**63 - 1024)
