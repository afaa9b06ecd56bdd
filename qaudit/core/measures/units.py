"""What was drawn at random: rows, or clusters of rows. Intervals are computed over these units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.inference.cluster_shares import ClusterShare, clusters_of
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.intervals import LEVEL, clopper_pearson, newcombe_paired
from qaudit.core.inference.row_keys import Keys, cluster_keys

LARGE = 10_000
"""Beyond so many rows or clusters they are drawn in groups: the time stays bounded."""
GROUPS = 4096
FEWEST = 10
"""With fewer clusters no interval is given: their spread is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Keys of rows (n,), by which resampling draws, and the keys of their clusters (n,) where a cluster column is declared."""

    keys: Keys
    clusters: Keys | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: slice | NDArray[Any]) -> Units:
        """The same of a subset of rows."""
        return Units(self.keys[rows], None if self.clusters is None else self.clusters[rows])

    @property
    def count(self) -> int:
        """The number of rows, or of clusters."""
        return len(self.keys) if self.clusters is None else len(np.unique(self.clusters))

    @property
    def drawn(self) -> Keys | None:
        """The keys (n,) of what rows are drawn with; None where they are drawn one by one.

        Beyond LARGE units these are GROUPS groups. The key of a unit chooses its group, which is as good as at random, so that
        groups are independent as units are: many of them show the spread of a mean as well as the units themselves.
        """
        if self.count <= LARGE:
            return self.clusters
        return cluster_keys((self.keys if self.clusters is None else self.clusters) % np.uint64(GROUPS))

    @property
    def dependent(self) -> bool:
        """Whether rows of what is drawn together resemble each other."""
        return self.clusters is not None

    def share(self, hits: NDArray[np.bool_], rows: NDArray[np.bool_] | None = None) -> Estimate:
        """Share of hits (n,) among `rows` (n,), by default all: exact, or over clusters."""
        n = len(hits) if rows is None else int(np.sum(rows))
        if n == 0:
            return Estimate(None, None, 0, "no rows")
        if self.clusters is None:
            count = int(np.sum(hits if rows is None else hits & rows))
            return Estimate(count / n, clopper_pearson(count, n), n)
        return self._over_clusters(clusters_of(self.clusters).share(hits, rows), rows)

    def change(self, before: NDArray[np.bool_], after: NDArray[np.bool_], rows: NDArray[np.bool_] | None = None) -> Estimate:
        """Share of `after` (n,) minus share of `before` (n,) among the same rows, paired."""
        n = len(before) if rows is None else int(np.sum(rows))
        if n == 0:
            return Estimate(None, None, 0, "no rows")
        if self.clusters is not None:
            return self._over_clusters(clusters_of(self.clusters).change(before, after, rows), rows)
        if rows is not None:
            before, after = before[rows], after[rows]
        broken, fixed = int(np.sum(before & ~after)), int(np.sum(~before & after))
        interval = newcombe_paired(int(np.sum(before & after)), broken, fixed, int(np.sum(~before & ~after)))
        return Estimate((fixed - broken) / n, interval, n)

    def stated(self, estimate: Estimate) -> Estimate:
        """An estimate over clusters says their number; fewer than FEWEST give no interval."""
        if self.clusters is None or estimate.interval is None:
            return estimate
        count = self.count
        if count < FEWEST:
            return replace(estimate, interval=None, reason=few(count))
        if "clusters" in estimate.interval.method:
            return estimate
        return replace(estimate, interval=replace(estimate.interval, method=f"{estimate.interval.method}, {count} clusters"))

    def _over_clusters(self, share: ClusterShare | None, rows: NDArray[np.bool_] | None) -> Estimate:
        assert self.clusters is not None
        if share is None:
            return Estimate(None, None, 0, "no rows")
        count = len(np.unique(self.clusters if rows is None else self.clusters[rows]))
        return Estimate(share.value, None, share.n, few(count)) if count < FEWEST else share.estimate(count, level=LEVEL)


def few(clusters: int) -> str:
    """Why there is no interval over so few clusters."""
    return f"no interval: {clusters} clusters, at least {FEWEST} are wanted"
