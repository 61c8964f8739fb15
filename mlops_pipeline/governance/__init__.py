"""Governance: the rules hold for every model without being asked.

In:     contracts, lineage, decisions.
Out:    policy findings, model cards, masked rows.
Never:  decides whether a model is good.
"""
