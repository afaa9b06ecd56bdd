"""CSV and Parquet by declared type: what is read, and every refusal's line."""

import csv
import datetime
import decimal
import io
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaudit.core.table import Table
from qaudit.errors import Refused
from qaudit.inputs.data import open_source, read_columns, row_digests, summary


def source(folder, content, **options):
    path = folder / "rows.csv"
    path.write_bytes(content)
    return open_source(path, **options)


def parquet(folder, **columns):
    path = folder / "rows.parquet"
    pa.parquet.write_table(pa.table(columns), path)
    return open_source(path)


CELL = st.one_of(st.just(""), st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n"), min_size=1, max_size=6))


@given(st.lists(st.tuples(CELL, st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=15))
def test_text_and_numbers_come_back_as_pythons_own_csv_reader_gives_them(tmp_path_factory, rows):
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("t", "n"), *[(text, repr(number)) for text, number in rows]])
    made = source(tmp_path_factory.mktemp("csv"), buffer.getvalue().encode())
    assert made.texts("t").tolist() == [text or None for text, _ in rows]
    np.testing.assert_array_equal(made.numbers("n"), [number for _, number in rows])


def test_nothing_is_inferred(tmp_path):
    made = source(tmp_path, b"\xef\xbb\xbfcode,answer,n\n00501,NA,1.5\n,true, 2 \nnull,,\n")
    assert made.texts("code").tolist() == ["00501", None, "null"]
    assert made.texts("answer").tolist() == ["NA", "true", None]
    np.testing.assert_array_equal(made.numbers("n"), [1.5, 2.0, np.nan])


def test_declared_words_mean_missing(tmp_path):
    made = source(tmp_path, b"n,t\n1,NA\nNA,x\n", missing=("NA",))
    np.testing.assert_array_equal(made.numbers("n"), [1.0, np.nan])
    assert made.texts("t").tolist() == [None, "x"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,x\n\nNA,y\n", r"rows.csv: column 'a', row 2 \(line 4\): 'NA' is not a number; .*declare \[data\] missing"),
        (b'a,b\n1,"x\ny"\ntwo,y\n', r"column 'a', row 2 \(line 4\): 'two' is not a number"),
        (b"a,b\nnan,x\n", "'nan' is not a number"),
        (b"a,b\n1_0,x\n", "'1_0' is not a number"),
        (b"a,b\n1,x\ninf,y\n", r"row 2 \(line 3\): inf is not a finite number"),
        (b"a,b\n1e999,x\n", "inf is not a finite number"),
        (b"a,b\n1,x\n2\n", "line 3 has 1 values, the header 2"),
        (b"a,b\n1,x,3\n", "line 2 has 3 values, the header 2"),
        (b"a,a\n1,2\n", "two columns are named 'a'"),
        (b"a,b\n", "has a header and no rows"),
        (b"", "is empty"),
        (b"\n\n", "the first line holds no column names"),
        (b"a,b\n1,\xff\n", r"not UTF-8 at byte 6 \(0xff\)"),
        (b"a\x00,b\n1,2\n", "byte 1 is NUL"),
        (b"PAR1nonsense", "not a readable Parquet file"),
        (b"aa,b\n1,2\n", "no column 'a'; did you mean 'aa'"),
        (b"x,y\n1,2\n", "no column 'a'; known: x, y"),
        (b'a,b\n"1,5",x\n', "'1,5' is not a number; a decimal point is wanted, not a comma"),
        (b"a,b\nTrue,x\n", "'True' is not a number; write 1 and 0"),
        (b"a;b\n1;2\n", "one column, named 'a;b'; values separated by commas are wanted, not by ';'"),
        (b"a,b\n1,x\n9007199254740993,y\n", r"row 2 \(line 3\): 9007199254740993 is an integer beyond 2\^53"),
    ],
)
def test_every_refusal_is_one_line_that_says_where(content, said, tmp_path):
    with pytest.raises(Refused, match=said) as refusal:
        source(tmp_path, content).numbers("a")
    assert "\n" not in str(refusal.value)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, said in (("pipe", "not a regular file"), ("nothing", "no such file"), (".", "is a folder")):
        with pytest.raises(Refused, match=said):
            open_source(tmp_path / name)


def test_parquet_types(tmp_path):
    made = parquet(
        tmp_path,
        whole=pa.array([1, None, 3], pa.int16()),
        flag=pa.array([True, None, False]),
        kind=pa.array(["x", None, "y"]).dictionary_encode(),
        money=pa.array([decimal.Decimal("1.10"), None, decimal.Decimal("2.00")]),
        day=pa.array([datetime.date(2026, 1, 2), None, None]),
    )
    np.testing.assert_array_equal(made.numbers("whole"), [1, np.nan, 3])
    np.testing.assert_array_equal(made.numbers("flag"), [1, np.nan, 0])
    np.testing.assert_array_equal(made.numbers("money"), [1.1, np.nan, 2.0])
    assert made.texts("flag").tolist() == ["True", None, "False"]
    assert made.texts("whole").tolist() == ["1", None, "3"]
    assert made.texts("kind").tolist() == ["x", None, "y"]
    assert made.texts("day").tolist() == ["2026-01-02", None, None]
    with pytest.raises(Refused, match=r"column 'day' holds date32.*declare it in \[data.types\]"):
        made.numbers("day")
    with pytest.raises(Refused, match=r"column 'kind', row 1: 'x' is not a number"):
        made.numbers("kind")


def test_numbers_too_large_for_float64_are_refused(tmp_path):
    with pytest.raises(Refused, match=r"an integer beyond 2\^53"):
        parquet(tmp_path, id=pa.array([2**53 + 1])).numbers("id")


def test_large_integers_that_fit_are_numbers(tmp_path):
    made = source(tmp_path, b"a\n18014398509481984\n-9007199254740994\n1e300\n")
    np.testing.assert_array_equal(made.numbers("a"), [2.0**54, -9007199254740994.0, 1e300])


def test_nested_values_and_bytes_are_no_text_and_no_number(tmp_path):
    made = parquet(tmp_path, several=pa.array([["x"]]), fields=pa.array([{"k": 1}]), raw=pa.array([b"x"]))
    for name in made.names:
        for read in (made.texts, made.numbers):
            with pytest.raises(Refused, match=f"rows.parquet: column '{name}' holds .*; one .* a row is wanted"):
                read(name)


def test_doubled_names_in_parquet_are_named(tmp_path):
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pa.parquet.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(Refused, match=r"twice.parquet: two columns are named 'a'; names must be unique"):
        open_source(tmp_path / "twice.parquet")


def test_the_authors_type_goes_before_the_models_and_that_before_number(tmp_path):
    made = source(tmp_path, b"extra,c,b,a\n9,1,2,3\n")
    table = read_columns(made, ("a", "b", "c"), {"a": "text", "b": "text"}, {"a": "number"})
    assert table.names == ("a", "b", "c")
    assert [table.kind(name) for name in table.names] == ["number", "text", "number"]


def test_summaries():
    assert summary("n", np.asarray([1.0, np.nan, 3.0]), "feature") == {
        "name": "n",
        "role": "feature",
        "kind": "number",
        "missing": 1,
        "distinct": 2,
        "low": 1.0,
        "mean": 2.0,
        "high": 3.0,
        "top": [],
    }
    text = summary("t", np.asarray(["b", None, "a", "a", "c"], dtype=object), "group")
    assert (text["missing"], text["distinct"], text["top"]) == (1, 3, [["a", 2], ["b", 1], ["c", 1]])
    assert summary("n", np.asarray([np.nan]), "feature")["mean"] is None


def test_rows_are_equal_where_values_and_target_are():
    table = Table({"n": np.asarray([1.0, np.nan, 1.0, np.nan]), "t": np.asarray(["1.0", None, "1.0", "None"], dtype=object)})
    digests = row_digests(table, np.asarray([0, 1, 0, 1]))
    assert digests[0] == digests[2]
    assert len(set(digests)) == 3
    assert row_digests(table, np.asarray([1, 1, 1, 1]))[0] != digests[0]
