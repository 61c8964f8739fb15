"""Drills: rollouts on a scratch instance, hurt on purpose, and checked afterwards.

In:     the name of a drill, a folder.
Out:    what was done, and whether one consistent state was left.
Never:  touches an instance that serves anybody.
"""
