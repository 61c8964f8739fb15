"""CI: a build server gets a verdict, not a run id.

In:     a job's name, a webserver of Dagster.
Out:    a launched run, its events, an exit code.
Never:  imports dagster, or decides what a verdict is.
"""
