"""The run's doctor: evidence from a run's own records, findings with thresholds, answers with receipts."""
