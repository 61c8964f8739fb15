"""Training: inputs and labels become a model, the same bytes each time.

In:     LabelledRows, a candidate's parameters, a seed.
Out:    a Model that predicts, explains and saves itself in a native format.
Never:  judges what it made, or reads rows it was not given.
"""
