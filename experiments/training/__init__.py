"""Models trained with the losses on real cells, beside the methods of the field."""
