import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaudit.core.table import Table
from qaudit.sandbox.pack_table import pack_table, text_codes, unpack_table
from qaudit.sandbox.subject_model import frame


def _objects(values):
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


@given(st.lists(st.tuples(st.none() | st.text(max_size=4), st.floats(allow_nan=True)), max_size=20))
def test_what_is_packed_comes_back_value_for_value(rows):
    table = Table({"t": _objects([text for text, _ in rows]), "n": np.asarray([number for _, number in rows], dtype=np.float64)})
    packed, arrays = pack_table(table, "holdout")
    assert all(array.dtype.kind in "iuf" for array in arrays.values())
    back = unpack_table(packed, arrays, "holdout")
    assert back.names == ("t", "n")
    assert list(back.columns["t"]) == list(table.columns["t"])
    np.testing.assert_array_equal(back.columns["n"], table.columns["n"])


def test_codes_are_sorted_so_that_row_order_does_not_change_the_dictionary():
    codes, distinct = text_codes(_objects(["b", None, "a", "b"]))
    assert distinct == ["a", "b"]
    assert codes.tolist() == [1, -1, 0, 1]


def test_a_code_outside_the_dictionary_is_refused():
    packed, _ = pack_table(Table({"t": _objects(["a"])}), "p")
    with pytest.raises(ValueError, match="column t: a code outside"):
        unpack_table(packed, {"p.0": np.asarray([1], dtype=np.int32)}, "p")


def test_a_frame_has_nan_for_missing_text():
    made = frame(Table({"t": _objects(["a", None]), "n": np.asarray([1.0, np.nan])}))
    assert made["t"].dtype == object
    assert made["t"].isna().tolist() == [False, True]
    assert made["n"].dtype == np.float64
