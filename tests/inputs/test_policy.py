"""policy.toml: what is read, and one clear line for what is refused."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

import pytest

from qaudit.errors import Refused
from qaudit.inputs.policy import parse_policy, read_policy

HEAD = 'name = "p"\nversion = "1.3"\nset = 2026-11-01\n'
LIMIT = '[[limit]]\nid = "Q2"\nmeasure = "flip_rate"\nat_most = 0.01\nreason = "r"\n'


def test_a_policy_is_read_whole() -> None:
    text = HEAD + LIMIT + 'where = {group = "afam=yes"}\nuse = "upper"\nnear = 0.008\ntitle = "T"\ntodo = "D"\n'
    policy = parse_policy(text.encode(), "policy.toml")
    assert (policy.name, policy.version, policy.set) == ("p", "1.3", "2026-11-01")
    assert policy.digest == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    (limit,) = policy.limits
    assert (limit.id, limit.use, limit.at_most, limit.at_least, limit.near) == ("Q2", "upper", 0.01, None, 0.008)
    assert limit.where == {"group": "afam=yes"}
    assert policy.report()["limits"][0]["where"] == {"group": "afam=yes"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "policy.toml: not valid TOML: Invalid value (at end of document)"),
        ("\xff", "policy.toml: not valid TOML"),
        (HEAD.replace('"1.3"', "1.3"), "policy.toml: version is 1.3; input should be a valid string"),
        (HEAD.replace("2026-11-01", '"soon"'), "policy.toml: set is 'soon'; input should be a valid date"),
        (LIMIT, "policy.toml: name is missing"),
        (HEAD + "limits = 1\n", "policy.toml: unknown key 'limits'; did you mean 'limit'?"),
        (HEAD + LIMIT + "at_mots = 1\n", "policy.toml: limit 1 (Q2): unknown key 'at_mots'; did you mean 'at_most'?"),
        (
            HEAD + LIMIT.replace("flip_rate", "flip_rat"),
            "(Q2): measure: unknown measure 'flip_rat'; did you mean 'flip_rate'?",
        ),
        (
            HEAD + LIMIT.replace("flip_rate", "inputs_hashed"),
            "(Q2): measure: 'inputs_hashed' speaks of the audit, not of a candidate: no limit can be set on it",
        ),
        (HEAD + LIMIT + 'where = {grup = "a=b"}\n', "limit 1 (Q2): where: unknown key 'grup'; did you mean 'group'?"),
        (HEAD + LIMIT + 'where = {candidate = "x"}\n', "limit 1 (Q2): where: unknown key 'candidate'"),
        (HEAD + LIMIT + 'where = {group = "yes"}\n', "limit 1 (Q2): where: group is 'yes'; expected 'column=value'"),
        (HEAD + LIMIT + 'use = "middle"\n', "limit 1 (Q2): use is 'middle'; input should be 'value', 'lower' or 'upper'"),
        (HEAD + LIMIT + "at_least = 0.5\n", "limit 1 (Q2): expected exactly one of at_most and at_least"),
        (HEAD + LIMIT + "near = 0.02\n", "limit 1 (Q2): near = 0.02 lies beyond at_most = 0.01"),
        (HEAD + LIMIT.replace("at_most = 0.01", "at_least = 1.0\nnear = 0.5"), "near = 0.5 lies beyond at_least = 1.0"),
        (HEAD + LIMIT.replace("0.01", "nan"), "limit 1 (Q2): at_most is nan; input should be a finite number"),
        (HEAD + LIMIT.replace('"r"', '""'), "limit 1 (Q2): reason is ''"),
        (HEAD + LIMIT.replace("reason", "title"), "limit 1 (Q2): reason is missing"),
        (HEAD + LIMIT + LIMIT, "limit 2: id 'Q2' is used twice"),
        (HEAD + "limit = [3]\n", "limit 1: "),
    ],
)
def test_bad_policies_are_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_policy(text.encode("latin-1" if text == "\xff" else "utf-8"), "policy.toml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"none\.toml: policy cannot be read \(No such file"):
        read_policy(tmp_path / "none.toml")


def test_the_examples_are_policies_with_reasons() -> None:
    files = sorted(f for f in (resources.files("qaudit") / "inputs" / "policies").iterdir() if f.name.endswith(".toml"))
    assert len(files) == 2
    for file in files:
        policy = parse_policy(file.read_bytes(), file.name)
        assert policy.limits
        assert all(len(limit.reason) > 40 for limit in policy.limits)
