"""Serving: a question over HTTP is answered by one immutable version.

In:     a bundle, the newest feature snapshot of its definition, requests.
Out:    predictions, one log record each, health and metrics.
Never:  imports pandas, mlflow, torch or dagster; chooses which version it is.
"""
