"""Which candidate the limits speak of."""

from __future__ import annotations

from collections.abc import Sequence

from qaudit.core.plugin_settings import candidate_id, parse_id
from qaudit.errors import Refused, unknown
from qaudit.pipeline.types import Candidate, Candidates


def assessed_candidate(text: str | None, candidates: Candidates) -> Candidate | None:
    """The candidate of `[policy] judge`, else the only one there is, else None. Raises Refused for an id that nothing bears."""
    if text is None:
        return candidates.all[0] if len(candidates.all) == 1 else None
    return _found(text, candidates, "[policy] judge")


def candidates_named(texts: Sequence[str], candidates: Candidates) -> list[Candidate]:
    """The candidates of `[policy] explain`. Raises Refused for an id that nothing bears."""
    found = [_found(text, candidates, "[policy] explain") for text in texts]
    return [candidate for candidate in found if candidate is not None]


def _found(text: str, candidates: Candidates, where: str) -> Candidate | None:
    """The one candidate of that name and at least those settings; None where its quantizer declined or failed and says so."""
    name, settings = parse_id(text)
    of_name = [each for each in candidates.all if each.by == name]
    fits = [each for each in of_name if all(key in each.settings and each.settings[key] == settings[key] for key in settings)]
    if len(fits) == 1:
        return fits[0]
    if len(fits) > 1:
        raise Refused(f"{where}: {text!r} fits {len(fits)} candidates; give all settings, such as {fits[0].id}")
    if any(row.by == name for row in candidates.skipped):
        return None
    raise Refused(f"{where}: " + unknown("candidate", candidate_id(name, settings), [each.id for each in candidates.all]))
