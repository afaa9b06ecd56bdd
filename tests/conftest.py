"""What all tests share: properties are not timed, since machines that run them are busy at times."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
