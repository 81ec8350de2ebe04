"""How the programs of the catalog are measured, step by step."""
