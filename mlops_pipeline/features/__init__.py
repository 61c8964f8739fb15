"""Features: rows become a model's inputs, point in time, the same way in training and in service.

In:     a contract, frames or one request, the label counts of days that are over.
Out:    a FeatureMatrix; FeatureSnapshots for online look-up.
Never:  reads what was not known when the question was asked, or fits anything.
"""
