"""Drawing: tracks on frames, contact sheets, strips and plots."""
