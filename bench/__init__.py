"""Benchmarks: ratios against a baseline measured in the same run. No test asserts a time."""
