"""How numbers are printed: one rule for pages and sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaudit.core.numbers import capped, column, compact, fixed, one, setting, size, span, whole


@pytest.mark.parametrize(
    ("value", "unit", "sign", "shown"),
    [
        (0.0084, "share", False, "0.84%"),
        (-0.0028, "share", True, "−0.28 pp"),
        (0.0, "share", True, "0.00 pp"),
        (0.0001, "share", False, "0.01%"),
        (0.00003, "share", False, "0.0030%"),
        (1e-7, "share", False, "0.000010%"),
        (-1e-7, "share", True, "−0.000010 pp"),
        (1e-13, "share", False, "1.0e−11%"),
        (-1e-9, "", False, "−0.000000001"),
        (0.8412, "", False, "0.8412"),
        (-0.0021, "", True, "−0.0021"),
        (6.0, "rows", False, "6"),
        (12345.0, "rows", False, "12,345"),
        (1234567.8, "", False, "1,234,567.8"),
        (19.24, "dB", False, "19.2 dB"),
        (8.1, "bits", False, "8.10 bits"),
        (512.0, "bytes", False, "512 B"),
        (1.5e-12, "", False, "1.5e−12"),
        (-1.5e-12, "nats", True, "−1.5e−12"),
        (float("inf"), "", False, "inf"),
        (None, "share", False, "–"),
    ],
)
def test_one_number(value: float | None, unit: str, sign: bool, shown: str) -> None:
    assert one(value, unit, sign) == shown


def test_a_column_has_the_same_decimals() -> None:
    assert column([0.1121, 0.00091, None]) == ["0.1121", "0.0009", "–"]
    assert column([3e-12, 0.0, None, -1.3e-10]) == ["3.0e−12", "0", "–", "−1.3e−10"]
    assert span(-0.0061, 0.0009, "", True) == "−0.0061 to +0.0009"
    assert span(0.0, 1e-7, "share") == "0.000000% to 0.000010%"
    assert (whole(1234567), size(48213), compact(32700), compact(0.46)) == ("1,234,567", "48.2 kB", "32.7k", "0.46")
    assert (setting(0.5), setting(-2.0)) == ("0.5", "−2")


def test_what_is_not_0_never_prints_as_0() -> None:
    assert column([0.05, 1e-7, 0.0], "share") == ["5.00%", "<0.01%", "0.00%"]
    assert column([-0.05, -1e-7, 1e-7], "share", True) == ["−5.00 pp", ">−0.01 pp", "<+0.01 pp"]
    assert column([30.0, 0.01], "dB") == ["30.0", "<0.1"]
    assert fixed(0.4, 0) == "<1"
    assert fixed(-0.0, 2, True) == "0.00"


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=8),
    st.sampled_from(["", "share", "dB", "nats", "bits"]),
    st.booleans(),
)
def test_columns_have_a_true_minus_same_decimals_and_0_only_for_0(values: list[float | None], unit: str, sign: bool) -> None:
    cells = column(values, unit, sign)
    assert len(cells) == len(values)
    for value, cell in zip(values, cells, strict=True):
        assert "-" not in cell
        zero = not any(c in "123456789" for c in cell)
        assert zero == (not value)
        if zero:
            assert "−" not in cell
    assert len({len(c.split(".")[1]) for c in cells if "." in c and "e" not in c}) <= 1


@given(st.floats(-1e12, 1e12), st.sampled_from(["", "share"]))
def test_a_number_is_within_three_per_cent_of_what_it_says(value: float, unit: str) -> None:
    said = float(one(value, unit).replace("−", "-").replace(",", "").rstrip("%"))
    assert said == pytest.approx(100 * value if unit else value, rel=0.1 if abs(value) < 0.01 else 0.03, abs=1e-300)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([1.0, 2.0], ["1", "2"]),
        ([1.0, 0.5], ["1.000", "0.500"]),
        ([1.5], ["1.500"]),
        ([2.5], ["2.500"]),
        ([12.5], ["12.50"]),
        ([123.45], ["123.5"]),
        ([0.25], ["0.2500"]),
        ([0.0015], ["0.0015"]),
        ([0.00015], ["0.00015"]),
    ],
)
def test_decimals_follow_the_largest(values: list[float], shown: list[str]) -> None:
    assert column(values) == shown


def test_columns_that_are_not_ordinary() -> None:
    assert column([-0.5, -1e-12]) == ["−0.5000", ">−0.0001"]
    assert column([0.0000992], "share") == ["0.0099%"]
    assert column([1.5, 2.0, None], "count") == ["1.500", "2.000", "–"]
    assert column([1.5], "count") == ["1.500"]
    assert column([None, 2.0], "rows") == ["–", "2"]
    assert column([None, None]) == ["–", "–"]
    assert span(None, 1.0) == span(1.0, None) == "–"


def test_units_of_bytes_and_short_numbers_change_at_their_factors() -> None:
    assert [size(value) for value in (600, 1e3, 1500, 6e5, 1e6, 1.5e6)] == [
        "600 B", "1.0 kB", "1.5 kB", "600.0 kB", "1.0 MB", "1.5 MB",
    ]  # fmt: skip
    assert [compact(value) for value in (0, 9000, 1e4, 15000, 6e5, 1e6, 1.5e6, -2e6)] == [
        "0", "9000", "10k", "15k", "600k", "1M", "1.5M", "−2M",
    ]  # fmt: skip
    assert [compact(value) for value in (1e-4, 9e-5, -0.25)] == ["0.0001", "9.0e−05", "−0.25"]


def test_what_is_left_out_is_said() -> None:
    assert capped(50, 5000, "rows") == "50 of 5,000 rows, all in report.json."
    assert capped(50, 50, "rows") == ""
