"""The identity of a feature definition: equal digests promise equal features from equal rows."""

import inspect
import sys

from mlops_pipeline.contract.load import load_callable
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.objects import canonical_json, digest_of
from mlops_pipeline.errors import FeatureError

FORMULA = 2  # raised when this room's own arithmetic changes


def definition_digest(contract: ModelContract) -> str:
    """SHA-256 over all that decides a feature's value.

    That is: the features as declared, the columns they read (type and categories), the target's
    rule, the event time, and the source text of the module in which the function lives, because a
    function may lean on its neighbours. How old a snapshot may be is no part of it.

    Raises:
        FeatureError: the function's source text cannot be read.
    """
    features = contract.features.model_dump(mode="json", exclude={"max_age_days", "known_strong"})
    columns = [
        column.model_dump(mode="json", include={"name", "type", "categories"})
        for column in contract.request_columns
    ]
    rule = contract.target.model_dump(mode="json", include={"column", "above"})
    rule["delay_days"] = contract.target.delay_days
    return digest_of(
        canonical_json(
            {
                "formula": FORMULA,
                "features": features,
                "columns": columns,
                "target": rule,
                "event_time": contract.event_time,
                "source": _source_text(contract.features.function),
            }
        )
    )


def _source_text(reference: str) -> str:
    function = load_callable(reference)
    module = sys.modules[function.__module__]
    try:
        return inspect.getsource(module)
    except (OSError, TypeError) as error:
        raise FeatureError(
            f"{reference}: its module {module.__name__} has no readable source text, "
            "so that its features have no identity; ship the .py file"
        ) from error
