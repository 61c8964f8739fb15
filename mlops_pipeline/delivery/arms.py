"""What may become of a split of traffic: a retreat from it, or another one that gives no more."""

from dataclasses import replace

from mlops_pipeline.delivery.router import Arms
from mlops_pipeline.errors import DeliveryError


def retreated(arms: Arms, to: str | None) -> tuple[str, Arms]:
    """Which version leaves, and how traffic is split without it."""
    if to is not None:
        leaving = arms.candidate if arms.candidate not in (None, to) else arms.stable
        if leaving == to:
            raise DeliveryError(f"{arms.model} version {to} serves already; nothing to roll back")
        return str(leaving), replace(arms, stable=to, candidate=leaving, weight=0, shadow=False)
    if arms.candidate is None:
        raise DeliveryError(
            f"{arms.model} has no candidate, only version {arms.stable}; say which version to use"
        )
    return arms.candidate, replace(arms, weight=0, shadow=False)


def gives_nobody_more(held: Arms, wanted: Arms) -> bool:
    """Whether the same arms are wanted, or the candidate shall only have less, or go."""
    if wanted == held:
        return True
    if wanted.stable != held.stable or wanted.shadow > held.shadow:
        return False
    if wanted.candidate is None:
        return True
    same = (wanted.candidate, wanted.salt) == (held.candidate, held.salt)
    return same and wanted.weight <= held.weight
