"""Two commits: did the second make anything slower or worse than the first?"""
