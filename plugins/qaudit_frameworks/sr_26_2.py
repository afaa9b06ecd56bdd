"""Evidence list: the topics of SR 26-2 (2026) with the sections of SR 11-7 that it replaced."""

import tomllib
from collections.abc import Iterator
from importlib.resources import files

from qaudit import Framework, hookimpl


@hookimpl
def qaudit_offer_frameworks() -> Iterator[Framework]:
    """Offer the list, which is data in the toml file beside this module."""
    yield Framework(**tomllib.loads(files(__package__).joinpath("sr_26_2.toml").read_text("utf-8")))
