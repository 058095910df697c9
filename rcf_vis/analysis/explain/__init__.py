"""What the network looked at: the figures of the paper (``tools/explain.py``)."""
