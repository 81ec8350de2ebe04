"""The catalog of losses, and the least work that bounds each."""
