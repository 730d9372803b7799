"""The closed form against recorded traces of our own training step, on random configurations of real architectures."""

import statistics

import pytest

from bench.closed_form import CASES, cases, record


def test_the_closed_form_follows_the_traces_on_record() -> None:
    known = record()
    errors = [abs(case.closed_bytes / known[case.key] - 1) for case in cases(CASES) if case.key in known]
    if not errors:
        pytest.skip("no trace on record for these versions of the libraries")
    assert len(errors) >= 180
    assert statistics.median(errors) <= 0.015
    assert max(errors) <= 0.06
