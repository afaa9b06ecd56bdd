"""Charts as pure functions from data to SVG."""
