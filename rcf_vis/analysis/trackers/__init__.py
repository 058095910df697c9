"""Trackers that people use, and our own identities, on the same masks of the same frames."""
