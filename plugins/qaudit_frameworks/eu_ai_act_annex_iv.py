"""Evidence list: the numbered points of Annex IV of Regulation (EU) 2024/1689."""

import tomllib
from collections.abc import Iterator
from importlib.resources import files

from qaudit import Framework, hookimpl


@hookimpl
def qaudit_offer_frameworks() -> Iterator[Framework]:
    """Offer the list, which is data in the toml file beside this module."""
    yield Framework(**tomllib.loads(files(__package__).joinpath("eu_ai_act_annex_iv.toml").read_text("utf-8")))
