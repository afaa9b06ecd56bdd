"""Answers of units that need not be made again."""
