"""The named checks of `qaudit plugins check` and `qaudit.testing`: what an author is told is what a run enforces.

They run inside units, on toy subjects made in code: a plugin that hangs or crashes fails a check and harms nothing else.
"""
