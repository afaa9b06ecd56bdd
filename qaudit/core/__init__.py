"""Frozen values and pure functions; numpy, scipy.special, scipy.stats and the standard library only."""
