"""What a contract declares about its features, said once for training and for serving.

No pandas here: a server imports this module.
"""

from collections.abc import Iterable

from mlops_pipeline.contract.model import ModelContract

Value = float | str | None  # of one row: a number (NaN: missing), or a text (None: missing)


def function_inputs(contract: ModelContract) -> tuple[str, ...]:
    """The columns that the user's function is given: those that its features declare, no other."""
    return tuple(dict.fromkeys(name for f in contract.derived for name in f.inputs))


def categories_of(contract: ModelContract, feature: str) -> tuple[str, ...]:
    """The categories of a category feature, in the contract's order; empty for every other one."""
    for derived in contract.derived:
        if derived.name == feature and derived.kind == "category":
            return contract.column(feature).categories
    return ()


def cardinalities(contract: ModelContract) -> tuple[int, ...]:
    """The number of categories of each feature, 0 for numbers."""
    return tuple(len(categories_of(contract, f.name)) for f in contract.features.columns)


def feature_names(contract: ModelContract) -> tuple[str, ...]:
    """Names of the features, in the contract's order."""
    return tuple(feature.name for feature in contract.features.columns)


def key_part(value: Value) -> str | None:
    """The text of one part of a look-up key; None where the value is missing.

    Numbers that are whole read like integers, so that hour 6.0 is `6`; a `|` in a text is escaped,
    so that joined keys never collide.
    """
    if value is None or value != value:
        return None
    if isinstance(value, str):
        return value.replace("\\", "\\\\").replace("|", "\\|")
    number = float(value)
    return str(int(number)) if number.is_integer() else repr(number)


def key_text(values: Iterable[Value]) -> str | None:
    """The look-up key of a row, as `JFK|6`; None where any part is missing."""
    parts = [key_part(value) for value in values]
    if None in parts:
        return None
    return "|".join(parts)  # type: ignore[arg-type]
