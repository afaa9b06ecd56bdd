"""Settings of plugins: types that equal each other, long lists, order, and ids that are nearly ids."""

from __future__ import annotations

import pytest

from qaudit.core.plugin_settings import (
    accepted,
    allowed_text,
    candidate_id,
    check,
    derived_seed,
    is_allowed,
    natural,
    parse_id,
    product,
    written,
)
from qaudit.core.records import Setting
from qaudit.errors import Refused


def test_equal_values_of_other_types_are_other_values() -> None:
    flag, whole = Setting((False,), allowed=(False, True)), Setting((0,), allowed=(0, 1))
    assert (is_allowed(flag, True), is_allowed(flag, 1), is_allowed(flag, 0)) == (True, False, False)
    assert (is_allowed(whole, 1), is_allowed(whole, True), is_allowed(whole, False), is_allowed(whole, 0.0)) == (
        True,
        False,
        False,
        False,
    )
    ranged = Setting((2,), allowed=range(0, 5))
    assert (is_allowed(ranged, 0), is_allowed(ranged, 4), is_allowed(ranged, 5), is_allowed(ranged, -1)) == (
        True,
        True,
        False,
        False,
    )
    assert not is_allowed(ranged, True)
    assert not is_allowed(ranged, 3.0)


def test_whole_numbers_become_floats_where_the_setting_holds_floats() -> None:
    by_default, by_allowed = Setting((0.5, 1.0)), Setting((None,), allowed=(None, 2.0))
    assert (accepted(by_default, 1), type(accepted(by_default, 1))) == (1.0, float)
    assert (accepted(by_allowed, 2), type(accepted(by_allowed, 2))) == (2.0, float)
    assert not is_allowed(by_default, True)
    assert not is_allowed(by_default, 2)
    one_of_many = Setting(("auto",), allowed=("auto", 1, 0.5))
    assert type(accepted(one_of_many, 0.5)) is float
    whole = Setting((1,), allowed=range(1, 3))
    assert type(accepted(whole, 2)) is int


def test_without_a_list_only_the_defaults_are_allowed() -> None:
    setting = Setting(("a", "b"))
    assert is_allowed(setting, "b")
    assert not is_allowed(setting, "c")
    assert not is_allowed(Setting((1,), allowed=(1, 2)), [1])
    assert not is_allowed(Setting((1,), allowed=(1, 2)), {"1": 1})
    assert not is_allowed(Setting((1,), allowed=(1, 2)), (1,))
    assert is_allowed(Setting((3,), allowed=range(5, 9)), 3)


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        (Setting((1,), allowed=range(2, 4)), "2 to 3"),
        (Setting((1,), allowed=range(2, 3)), "2"),
        (Setting((1,), allowed=range(2, 9, 3)), "2, 5, 8"),
        (Setting((1,), allowed=range(0, 100, 2)), "0 to 98 (50 values)"),
        (Setting((1, "a", None)), "1, 'a', None"),
        (Setting((1,), allowed=tuple(range(12))), ", ".join(map(str, range(12)))),
        (Setting((1,), allowed=tuple(range(13))), "0 to 12 (13 values)"),
        (Setting(("auto",), allowed=("auto", None, *range(5, 17))), "'auto', None, 5 to 16 (12 values)"),
        (Setting((1,), allowed=(9.5, *range(3, 15))), "3 to 14 (13 values)"),
    ],
)
def test_what_is_allowed_in_few_words(setting: Setting, text: str) -> None:
    assert allowed_text(setting) == text


def test_the_author_gives_one_value_or_a_list_or_a_tuple() -> None:
    declared = {"b": Setting((1,), allowed=range(1, 9)), "a": Setting(("x", "y"))}
    assert check("q", declared, {"b": 3}) == {"a": ("x", "y"), "b": (3,)}
    assert check("q", declared, {"b": (3, 1, 3)}) == {"a": ("x", "y"), "b": (3, 1)}
    assert list(check("q", declared, {"a": ["y"]})) == ["a", "b"]
    with pytest.raises(Refused, match=r"^q: setting 'b' is 9; allowed: 1 to 8$"):
        check("q", declared, {"b": [1, 9]})
    with pytest.raises(Refused, match=r"^q: setting 'b' is an empty list; expected 1 to 8$"):
        check("q", declared, {"b": ()})


def test_products_are_in_natural_order_whatever_the_order_of_keys() -> None:
    values = {"b": ("x", None, 2, 0.5, True), "a": (10, 9)}
    made = product(values)
    assert [(m["a"], m["b"]) for m in made] == [(a, b) for a in (9, 10) for b in (0.5, True, 2, None, "x")]
    assert list(made[0]) == ["a", "b"]
    assert natural({"b": "x", "a": 2}) == (("a", 0, 2.0, ""), ("b", 2, 0.0, "x"))
    assert natural({"a": None}) == (("a", 1, 0.0, ""),)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("it's", r"'it\'s'"),
        ('say "x"', "'say \"x\"'"),
        ("a", "'a'"),
        (8, "8"),
        (-0.5, "-0.5"),
        (None, "None"),
        (True, "True"),
        ("", "''"),
    ],
)
def test_values_in_ids_read_back(value: object, text: str) -> None:
    assert written(value) == text  # type: ignore[arg-type]
    assert parse_id(candidate_id("q", {"a": value})) == ("q", {"a": value})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "text", ["q(a=1, 2)", "q(2)", "q(*a)", "q(**a)", "q.r(a=1)", "q(a=1)(b=2)", "q(a=(1, 2))", "q(a={})", "q(a=b'x')", "q(a=1j)"]
)
def test_what_is_nearly_an_id_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_id(text)
    assert str(refused.value) == (
        f"candidate id {text!r}: expected name(key=value,...), for example symmetric(axis='tensor',bits=8)"
    )


def test_a_long_text_is_cut_where_it_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        parse_id("1" + "+1" * 150)
    assert f"candidate id '1{'+1' * 99}+':" in str(refused.value)


def test_ids_of_names_alone_and_of_signed_numbers() -> None:
    assert parse_id("q") == ("q", {})
    assert parse_id("q()") == ("q", {})
    assert parse_id("q(a=-1,b=+2.5,c=None,d=True,e=word)") == ("q", {"a": -1, "b": 2.5, "c": None, "d": True, "e": "word"})


def test_seeds_have_48_bits_of_sha256() -> None:
    assert derived_seed(7) == int.from_bytes(bytes.fromhex("7902699be42c"), "big")
    assert max(derived_seed(s) for s in range(200)) > 2**47
