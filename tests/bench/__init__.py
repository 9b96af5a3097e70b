"""`make bench`: everything that has to be fast, beside what the same work costs where there is nothing to do.

Most figures are ratios of two things measured back to back in one run: machines differ, and so does one
machine from minute to minute. `make bench ARGS=--quick` takes half a minute, `make bench ARGS="--into
docs/performance.md"` writes the table there.
"""
