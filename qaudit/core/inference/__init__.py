"""How sure a measured number is: intervals and tests."""
