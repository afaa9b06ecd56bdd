"""Settings: validation with the nearest name, products in natural order, ids that read back."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaudit.core.plugin_settings import candidate_id, check, derived_seed, is_allowed, parse_id, product
from qaudit.core.records import Setting
from qaudit.errors import Refused

DECLARED = {
    "bits": Setting((4, 8), allowed=range(2, 17)),
    "axis": Setting(("tensor", "channel")),
    "tau": Setting((0.9,), allowed=tuple(i / 1000 for i in range(1, 1001))),
    "tol": Setting((None,), allowed=(None, 0.1, 0.01)),
    "fast": Setting((False,), allowed=(False, True)),
}
VALUES = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none(), st.text())


def test_defaults_and_the_authors_values():
    assert check("q", DECLARED, {}) == {
        "axis": ("tensor", "channel"),
        "bits": (4, 8),
        "fast": (False,),
        "tau": (0.9,),
        "tol": (None,),
    }
    chosen = check("q", DECLARED, {"bits": [2, 16, 2], "axis": "tensor", "tau": 1, "tol": 0.1})
    assert chosen["bits"] == (2, 16)
    assert chosen["axis"] == ("tensor",)
    assert chosen["tau"] == (1.0,)
    assert type(chosen["tau"][0]) is float
    assert chosen["tol"] == (0.1,)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"bit": 8}, "q: unknown setting 'bit'; did you mean 'bits'?"),
        ({"axes": "tensor"}, "q: unknown setting 'axes'; did you mean 'axis'?"),
        ({"bits": 17}, "q: setting 'bits' is 17; allowed: 2 to 16"),
        ({"bits": "8"}, "q: setting 'bits' is '8'; allowed: 2 to 16"),
        ({"bits": 8.0}, "q: setting 'bits' is 8.0; allowed: 2 to 16"),
        ({"bits": [4, True]}, "q: setting 'bits' is True; allowed: 2 to 16"),
        ({"bits": []}, "q: setting 'bits' is an empty list; expected 2 to 16"),
        ({"bits": [[4]]}, "q: setting 'bits' is [4]; allowed: 2 to 16"),
        ({"axis": "row"}, "q: setting 'axis' is 'row'; allowed: 'tensor', 'channel'"),
        ({"tau": 1.5}, "q: setting 'tau' is 1.5; allowed: 0.001 to 1.0 (1000 values)"),
        ({"tol": 0.2}, "q: setting 'tol' is 0.2; allowed: None, 0.1, 0.01"),
        ({"fast": 1}, "q: setting 'fast' is 1; allowed: False, True"),
    ],
)
def test_refusals_name_plugin_key_value_and_what_is_allowed(chosen, message):
    with pytest.raises(Refused) as refused:
        check("q", DECLARED, chosen)
    assert str(refused.value) == message


def test_a_plugin_without_settings_says_so():
    with pytest.raises(Refused, match="has no settings"):
        check("q", {}, {"bits": 8})


def test_what_is_allowed():
    assert is_allowed(DECLARED["bits"], 16)
    assert not is_allowed(DECLARED["bits"], 1)
    assert not is_allowed(DECLARED["axis"], "row")
    assert is_allowed(Setting((3,), allowed=(4,)), 3)


def test_product_is_every_combination_in_natural_order():
    values = {"bits": (16, 2, 8), "axis": ("tensor", "channel"), "tol": (None, 0.5)}
    made = product(values)
    assert len(made) == 12
    assert {tuple(sorted(m.items(), key=str)) for m in made} == {
        tuple(sorted({"bits": b, "axis": a, "tol": t}.items(), key=str)) for b, a, t in itertools.product(*values.values())
    }
    assert [m["bits"] for m in made if m["axis"] == "tensor" and m["tol"] is None] == [2, 8, 16]
    assert product({}) == [{}]
    assert product({"bits": ()}) == []


def test_ids():
    assert candidate_id("symmetric", {"bits": 8, "axis": "tensor"}) == "symmetric(axis='tensor',bits=8)"
    assert candidate_id("plain", {}) == "plain()"
    assert candidate_id("q", {"b": None, "a": True, "c": 0.1}) == "q(a=True,b=None,c=0.1)"
    assert candidate_id("q", {"a": "it's"}) == r"q(a='it\'s')"


@given(st.from_regex(r"[a-z][a-z_0-9]{0,9}x", fullmatch=True), st.dictionaries(st.sampled_from("abcd"), VALUES))
def test_an_id_reads_back(name, settings):
    found, read = parse_id(candidate_id(name, settings))
    assert found == name
    assert read == settings
    assert {key: type(value) for key, value in read.items()} == {key: type(value) for key, value in settings.items()}


@pytest.mark.parametrize(
    "text",
    [
        "symmetric(axis='tensor',bits=8)",
        " symmetric( bits = 8 , axis = 'tensor' ) ",
        'symmetric(bits=8,axis="tensor")',
        "symmetric(axis=tensor,bits=8)",
    ],
)
def test_reading_is_lenient_about_spaces_order_and_quotes(text):
    assert parse_id(text) == ("symmetric", {"axis": "tensor", "bits": 8})


def test_a_plain_name_is_an_id():
    assert parse_id(" twin ") == ("twin", {})


@pytest.mark.parametrize(
    "text",
    [
        "symmetric(8)",
        "symmetric(bits=",
        "symmetric(**x)",
        "symmetric(bits=print())",
        "symmetric(bits=[8])",
        "a.b(bits=8)",
        "",
        "1 + 1",
        "(" * 5000,
    ],
)
def test_what_is_no_id_is_refused_in_one_line(text):
    with pytest.raises(Refused) as refused:
        parse_id(text)
    assert "expected name(key=value,...)" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_derived_seeds_are_fixed_and_apart():
    assert derived_seed(0, "dithered", "layer0.weight") == 267241259014569
    assert len({derived_seed(s, *names) for s in (0, 1) for names in (("a", "b"), ("ab",), ("a",), ("b", "a"))}) == 8
    assert all(0 <= derived_seed(s) < 2**48 for s in range(50))
