"""The gate: did a deterministic measurement get worse than its baseline?"""
