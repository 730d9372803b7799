"""The dataset doctor: what is in the file, what the model will be graded on, what is wrong with it."""

from assistant.dataset.inspect import digest_of, first_look, inspect
from assistant.dataset.paths import allowed_path
from assistant.dataset.report import DatasetReport, Problem

__all__ = ["DatasetReport", "Problem", "allowed_path", "digest_of", "first_look", "inspect"]
