"""Findings: sentences with the numbers under them. Each code is stable and has a section in docs/findings.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from qaudit.core.evidence import Evidence, Finding, Skipped
from qaudit.policy import Policy
from qaudit.stages import find_conduct as conduct
from qaudit.stages import find_explained as explained
from qaudit.stages import find_loss as loss
from qaudit.stages.find_facts import Facts
from qaudit.stages.road import Audited, Candidate, Candidates
from qaudit.units.job import Json

FINDERS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    conduct.lowering,
    loss.flips,
    loss.worst_group,
    loss.change("QA-005", "accuracy_change", "accuracy", "Accuracy"),
    loss.change("QA-006", "auc_change", "roc_auc", "The area under the ROC curve"),
    loss.change("QA-007", "r2_change", "r2", "R²"),
    loss.fewest_bits,
    explained.reasons,
    explained.drift,
    explained.surrogate,
    loss.small_groups,
    conduct.unseen,
    conduct.skipped,
    conduct.cutoff,
    conduct.not_reproducible,
    conduct.overlap,
    conduct.not_judged,
    conduct.late_policy,
    conduct.old_lists,
)


def find(
    subject: Audited,
    candidates: Candidates,
    evidence: Sequence[Evidence],
    judged: Candidate | None,
    skipped: Sequence[Skipped] = (),
    *,
    policy: Policy | None = None,
    frameworks: Sequence[Json] = (),
    date: str | None = None,
) -> tuple[Finding, ...]:
    """All findings in the order of their codes. `evidence` is the final table: findings hold its row numbers.

    `frameworks` are the entries of the report, `date` the ISO date of the audit: both, and the policy, are asked for their age.
    """
    facts = Facts(subject, candidates, evidence, judged.id if judged else None, skipped, policy, frameworks, date)
    return tuple(finding for finder in FINDERS for finding in finder(facts))
