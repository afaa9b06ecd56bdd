"""An audit from its inputs to its sealed folder; `run.py` reads like the list of stages."""
