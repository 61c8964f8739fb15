"""Components: one contract becomes the Dagster objects of one model.

In:     a ModelContract.
Out:    assets, checks, jobs, schedules, sensors.
Never:  branches on the business: that is the rooms' part.
"""
