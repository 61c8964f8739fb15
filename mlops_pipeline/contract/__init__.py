"""Contract: the one file that says what a model promises.

In:     a contract.yaml.
Out:    a frozen ModelContract, its digest, its JSON Schema; errors as `file:line: path: what`.
Never:  reads data, loads a model, or acts on what it says.
"""
