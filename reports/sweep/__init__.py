"""One sweep: does every loss agree with its reference, and how fast is it?"""
