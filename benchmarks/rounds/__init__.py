"""Two commits measured in rounds: a wheel of each, and a fresh process a side in every round."""
