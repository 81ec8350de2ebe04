"""The experiments: which claims about the losses hold?"""
