"""The command line: one module for each group of commands.

Commands import what they need inside their functions, so that `--help` does not wait for numpy and pandas.
"""
