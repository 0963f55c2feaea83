"""The probes, a column for each vendor; importing them registers them."""

from scripts.verify_live.probes import bedrock, openai, vertex

__all__ = ["bedrock", "openai", "vertex"]
