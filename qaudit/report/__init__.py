"""report.json as types, its schema, and what makes an older report one of today."""
