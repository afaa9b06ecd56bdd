"""Custom templates from third parties: read as data, run in a sandbox, restricted to plain elements and scoped styles.

A custom template never changes page one of a report.
"""
