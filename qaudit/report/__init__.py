"""report.json as types, its JSON Schema, and the conversion of older formats."""
