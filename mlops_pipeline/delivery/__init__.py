"""Delivery: traffic moves to a candidate, or back.

In:     a ModelVersion, a rollout plan, evidence from router and request log.
Out:    a Decision; through a Router, new weights.
Never:  trains, judges offline metrics, or talks to Dagster.
"""
