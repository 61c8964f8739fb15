"""Monitoring: what happens in service is seen, judged and told.

In:     request logs, labels that arrive late, a reference.
Out:    DriftReports, live performance, incidents, delivered alerts.
Never:  moves traffic, or retrains by itself.
"""
