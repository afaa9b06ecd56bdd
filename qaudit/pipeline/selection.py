"""Which candidate the limits apply to."""

from __future__ import annotations

from collections.abc import Sequence

from qaudit.core.plugin_settings import candidate_id, parse_id
from qaudit.errors import Refused, unknown
from qaudit.pipeline.types import Candidate, Candidates


def assessed_candidate(text: str | None, candidates: Candidates) -> Candidate | None:
    """The candidate of `[policy] judge`, else the only candidate, else None. Raises Refused for an id that no candidate has."""
    if text is None:
        return candidates.all[0] if len(candidates.all) == 1 else None
    return _candidate_named(text, candidates, "[policy] judge")


def candidates_named(texts: Sequence[str], candidates: Candidates) -> list[Candidate]:
    """The candidates of `[policy] explain`. Raises Refused for an id that no candidate has."""
    named = [_candidate_named(text, candidates, "[policy] explain") for text in texts]
    return [candidate for candidate in named if candidate is not None]


def _candidate_named(text: str, candidates: Candidates, where: str) -> Candidate | None:
    """The one candidate of that name with at least those settings; None where its quantizer declined or failed."""
    name, settings = parse_id(text)
    of_name = [each for each in candidates.all if each.by == name]
    matches = [each for each in of_name if all(key in each.settings and each.settings[key] == settings[key] for key in settings)]
    if len(matches) == 1:
        return matches[0]
    if len(matches) > 1:
        raise Refused(f"{where}: {text!r} matches {len(matches)} candidates; give all settings, such as {matches[0].id}")
    # the report has the reason already, and a candidate that could not be made is no typing error
    if any(row.by == name for row in candidates.skipped):
        return None
    raise Refused(f"{where}: " + unknown("candidate", candidate_id(name, settings), [each.id for each in candidates.all]))
