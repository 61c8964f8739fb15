"""Which version a unit meets, computed as the router computes it.

The router hashes `salt|unit` with xxHash64 (seed 0) and takes it modulo 10 000; the candidate owns
the buckets below its weight. So a growing weight never moves a unit back, and a new salt (one for
each rollout) exposes other units first.
"""

import xxhash

TOTAL_WEIGHT = 10_000  # buckets; a weight is a number of them


def bucket(unit: str, salt: str) -> int:
    """The unit's bucket, 0 to 9999, in the rollout of that salt."""
    return xxhash.xxh64_intdigest(f"{salt}|{unit}".encode(), seed=0) % TOTAL_WEIGHT


def meets_candidate(unit: str, salt: str, weight: int) -> bool:
    """Whether the unit is sent to the candidate while the candidate has `weight` buckets."""
    return bucket(unit, salt) < weight


def units_for(salt: str, weight: int, count: int, *, candidate: bool) -> tuple[str, ...]:
    """The first `count` made-up units that meet the candidate (or the stable) at that weight.

    Empty where no unit can: weight 0 has no candidate units, weight 10 000 no stable ones.
    """
    if not 0 <= weight <= TOTAL_WEIGHT or weight == (0 if candidate else TOTAL_WEIGHT):
        return ()
    found: list[str] = []
    number = 0
    while len(found) < count:
        unit = f"probe-{number}"
        if meets_candidate(unit, salt, weight) == candidate:
            found.append(unit)
        number += 1
    return tuple(found)
