"""What a paper would have: claims put to the test, validity, and trained models.

The document is DiffBio's documentation page "Single-Cell Losses", from which the library
starts. A claim that does not hold is listed with the others. Its numbers show how it fails,
and the README says what we do instead.
"""
