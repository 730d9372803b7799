"""Trains an adapter, and says what happens while it does. The light modules need only pydantic."""
