"""report.json: its schema."""
