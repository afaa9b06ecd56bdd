"""The stage `find`: findings are sentences that rest on evidence. Each code is stable and has a section in docs/findings.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from qaudit.core.evidence import Assessment, Evidence, Finding, Skipped
from qaudit.core.json_values import Json
from qaudit.inputs.policy import Policy
from qaudit.pipeline.stages import find_audit, find_choice, find_explained, find_integers, find_limits, find_loss
from qaudit.pipeline.stages.find_context import FindingContext
from qaudit.pipeline.types import Candidate, Candidates, Choice, LoadedSubject, WorstSlice

FINDERS: tuple[Callable[[FindingContext], Iterator[Finding]], ...] = (
    find_audit.lowering,
    find_loss.flips,
    find_loss.worst_group,
    find_loss.change("QA-005", "accuracy_change", "Accuracy"),
    find_loss.change("QA-006", "auc_change", "The area under the ROC curve"),
    find_loss.change("QA-007", "r2_change", "R²"),
    find_choice.chosen,
    find_explained.reasons,
    find_explained.drift,
    find_explained.surrogate,
    find_loss.small_groups,
    find_audit.unseen,
    find_audit.skipped,
    find_audit.cutoff,
    find_audit.not_reproducible,
    find_audit.overlap,
    find_audit.not_judged,
    find_audit.late_policy,
    find_audit.old_lists,
    find_integers.clipped,
    find_integers.simulated,
    find_limits.out_of_reach,
    find_limits.comparisons,
    find_limits.groups_without_limit,
    find_limits.older,
    find_limits.ranges,
    find_choice.slice,
)


def find(
    subject: LoadedSubject,
    candidates: Candidates,
    evidence: Sequence[Evidence],
    judged: Candidate | None,
    skipped: Sequence[Skipped] = (),
    *,
    policy: Policy | None = None,
    frameworks: Sequence[Json] = (),
    date: str | None = None,
    choice: Choice | None = None,
    assessments: Sequence[Assessment] = (),
    out_of_reach: Sequence[str] = (),
    slice: WorstSlice | None = None,
) -> tuple[Finding, ...]:
    """All findings in the order of their codes. `evidence` is the final table: findings hold its row numbers.

    `assessments` are those of the limits, and `out_of_reach` the sentences of the check before the run. `frameworks` are the
    entries of the report and `date` the ISO date of the audit; the age of both and of the policy is checked.
    """
    facts = FindingContext(
        subject,
        candidates,
        evidence,
        judged.id if judged else None,
        skipped,
        policy,
        frameworks,
        date,
        choice,
        assessments,
        out_of_reach,
        slice,
    )
    return tuple(finding for finder in FINDERS for finding in finder(facts))
