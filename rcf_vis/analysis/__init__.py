"""Looking at results and at models: reports, comparisons, and the figures of the paper."""
