"""The entries of `explanations` in report.json: one class for each kind, which the field `kind` names."""

from __future__ import annotations

from typing import Annotated, Literal, assert_never, get_args

from pydantic import Field, model_validator

from qaudit.core.explanation import EXPLANATION_NAMES, ExplanationName
from qaudit.report.field_types import Count, Part, Settings, Share


class Floor(Part):
    """The noise baseline: distances between explanations of the reference with different seeds."""

    mean: float
    """Mean over the reruns."""
    low: float
    """Smallest."""
    high: float
    """The 95 per cent quantile: a drift above it is larger than the randomness of the explainer."""


class Drift(Part):
    """One distance between the explanations of a candidate and of the reference."""

    distance: str
    """Name of the distance."""
    means: str
    """The distance in words."""
    value: float | None
    """The distance; null where it is not defined."""
    floor: Floor
    """The same distance between reruns of the reference alone."""
    deterministic: bool
    """Whether no rerun differed."""
    ratio: float | None
    """Value divided by the mean of the floor; null where that is 0."""


class Explanation(Part):
    """The fields of all kinds of explanation."""

    explainer: str
    """The plugin that made it."""
    settings: Settings
    """Its settings."""
    candidate: str
    """What is explained: "reference", or the id of a candidate."""
    seed: int
    """Seed of the explainer."""
    floor_seeds: tuple[int, ...]
    """Seeds of the reruns from which the floor is computed; empty for a candidate."""
    background: str = ""
    """Where the background rows come from."""
    background_rows: Count = 0
    """Number of background rows."""
    drift: tuple[Drift, ...] = ()
    """Distances to the explanation of the reference; empty for the reference itself."""
    verdict: Literal["none", "unusable", "below floor", "above floor"] | None = None
    """Whether the explanation changed: the first distance decides; null for the reference."""

    @property
    def quantity(self) -> str:
        """What is explained, where one explainer may explain several quantities."""
        return ""


class FeatureImportance(Part):
    """One column of an importance."""

    feature: str
    """Name of the column."""
    values: tuple[float, ...]
    """Its importance in each repeat."""
    mean: float
    """Mean over the repeats."""
    low: float | None
    """Lower end of the 95 per cent interval of the mean; null for a single repeat."""
    high: float | None
    """Upper end."""
    rank: Annotated[int, Field(ge=1, le=2**31)]
    """1 for the most important column."""


class Importance(Explanation):
    """How much each column matters over all rows."""

    kind: Literal["importance"]
    """Tag of this kind."""
    of: Literal["prediction_change", "loss_change"]
    """What changes where the column is taken away."""
    rows: tuple[FeatureImportance, ...]
    """The columns in rank order."""

    @property
    def quantity(self) -> str:
        """What changes where the column is taken away."""
        return self.of


class Node(Part):
    """A node of a surrogate tree. A row goes left where the value is at most `threshold`, or one of `categories`."""

    feature: str | None
    """The column of the split; null in a leaf."""
    threshold: float | None
    """For a number."""
    categories: tuple[str, ...] | None
    """For a text."""
    missing_left: bool
    """Whether a missing value goes left."""
    left: int
    """Index of the left child; negative in a leaf."""
    right: int
    """Index of the right child; negative in a leaf."""
    rows: Count
    """Holdout rows that reach the node."""
    label: str
    """The prediction of the tree in this node."""
    share: float | None
    """Share of the label among the rows on which the tree was fitted; null for a regression."""
    agreement: Share | None
    """Share of the holdout rows in this node, without those in the background, for which the explained model decides the same;
    null for a regression."""

    @property
    def children(self) -> tuple[int, ...]:
        """Left and right child; none of a leaf."""
        return () if self.left < 0 else (self.left, self.right)


class Tree(Explanation):
    """A small decision tree that imitates the model."""

    kind: Literal["tree"]
    """Tag of this kind."""
    names: tuple[str, ...]
    """Input columns."""
    classes: tuple[str, ...]
    """Classes that its leaves name; empty for a regression."""
    nodes: tuple[Node, ...]
    """The nodes; the first is the root."""
    depth: Count
    """Number of splits on the longest path."""
    leaves: Count
    """Number of leaves."""
    added_parameters: Count = 0
    """Number of values of which the tree consists."""
    added_nodes: Count = 0
    """Number of nodes."""
    rules: tuple[str, ...]
    """Each leaf as a sentence."""

    @model_validator(mode="after")
    def _is_a_tree(self) -> Tree:
        """Check that every child exists and has one parent; otherwise a walk through the tree might not end."""
        children = [child for node in self.nodes for child in node.children]
        for child in children:
            if not 0 < child < len(self.nodes):
                raise ValueError(f"nodes: a node has the child {child}; children are nodes 1 to {len(self.nodes) - 1}")
        if len(children) != len(set(children)):
            raise ValueError("nodes: two nodes have the same child")
        for place, node in enumerate(self.nodes):
            if node.children and (node.feature is None or (node.threshold is None) == (node.categories is None)):
                raise ValueError(f"nodes: node {place} has children; a feature with a threshold or with categories is wanted")
        return self


class Contribution(Part):
    """What one column contributes to the prediction of one row."""

    column: str
    """Name of the column."""
    value: str | float | None
    """The cell's value; null unless audit.toml says [report] show_values = true."""
    contribution: float
    """Its contribution to the prediction."""


class Case(Part):
    """A row of the holdout that is explained."""

    row: Count
    """Number of the row, from 0."""
    why: Literal["median", "worst flip", "changed reason", "stable"]
    """The rule that chose it."""
    decision: str | int | None
    """What the explained model decides; null for a regression."""
    prediction: float
    """What it predicts."""
    features: tuple[Contribution, ...]
    """The columns with the largest contributions."""


class Attributions(Explanation):
    """Contributions of the columns to the prediction of single rows."""

    kind: Literal["attributions"]
    """Tag of this kind."""
    cases: tuple[Case, ...]
    """The rows that are shown."""


class Fit(Part):
    """How well local models fit, over all explained rows (weighted R2)."""

    median: float
    """Median."""
    low: float
    """The 5 per cent quantile."""
    high: float
    """The 95 per cent quantile."""


class LocalModels(Explanation):
    """Linear models, each fitted around a single row, and the contributions of the columns that follow from them."""

    kind: Literal["local_models"]
    """Tag of this kind."""
    cases: tuple[Case, ...]
    """The rows that are shown."""
    r2: Fit
    """How well the linear models fit."""


AnyExplanation = Annotated[Importance | Tree | Attributions | LocalModels, Field(discriminator="kind")]


def entry_class(kind: ExplanationName) -> type[Explanation]:
    """The class of a kind's entries."""
    match kind:
        case "importance":
            return Importance
        case "local_models":
            return LocalModels
        case "attributions":
            return Attributions
        case "tree":
            return Tree
        case _:
            assert_never(kind)


if any(entry_class(kind) not in get_args(get_args(AnyExplanation)[0]) for kind in EXPLANATION_NAMES):
    raise TypeError("AnyExplanation has no entry class for a kind of explanation")
