"""The exact memory of a run before it starts: its very training step on fake tensors, without weights or a card.

Its own process, 2 to 30 seconds: `python -m trainer.trace REQUEST.json`. In Python: `trainer.trace.whole.trace`.
"""
