"""What is wrong with a contract, and where."""

from typing import NamedTuple

Location = tuple[str | int, ...]
CROSS_PART = "cross_part"  # the pydantic error type that carries findings across parts


class Finding(NamedTuple):
    """What is wrong, and the place in the contract that should change."""

    at: Location
    what: str
