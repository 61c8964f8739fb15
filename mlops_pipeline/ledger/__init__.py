"""Ledger: what was decided is durable, ordered and cannot be changed unseen.

In:     decisions of the other rooms, in one SQL transaction each.
Out:    pointers moved by compare-and-set, queues, an audit chain.
Never:  decides, or reads a model.
"""
