"""Validity: our losses beside the measures of the field, over cells that change."""
