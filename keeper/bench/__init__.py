"""Benchmarks as ratios within one run. One module a benchmark; `run` returns the figures."""
