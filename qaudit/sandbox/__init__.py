"""Runs foreign code (plugins and models) in child processes with limits; one such piece of work is a unit."""
