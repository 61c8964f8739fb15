"""Models: those that this repository ships, one folder each.

In:     the contract's words and plain frames or rows.
Out:    for each model a contract.yaml, a source function, a feature function.
Never:  trains, serves, or knows which room calls it.
"""
