"""A page on how good results are, and comparisons (``tools/report.py``, ``tools/compare.py``)."""
