"""Registered models and fitted estimators as files."""
