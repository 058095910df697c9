"""Looking for faults in a data set before a training meets them (``datasets/check.py``)."""
