"""Evaluation: what a candidate is worth is known, with its uncertainty.

In:     scores of candidate and champion on the same rows, the contract's criteria.
Out:    an EvaluationReport, a Verdict with reasons, plots.
Never:  trains, registers, or lets missing evidence pass.
"""
