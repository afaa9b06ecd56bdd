"""The version and the number of the plugin contract."""

VERSION = "0.1.0"
SPEC = 1
