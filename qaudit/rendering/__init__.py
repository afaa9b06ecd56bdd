"""Turns report.json into pages: charts, words and layout. It runs in a child process and imports nothing about models."""
