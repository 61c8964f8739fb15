"""Command line: a person asks and reads an answer.

In:     words on a command line.
Out:    calls into the rooms, text or JSON, an exit code.
Never:  holds a rule that a room should hold.
"""
