"""Every contract that the settings name, as Dagster objects."""

import dagster as dg

from mlops_pipeline.components.model import model_definitions
from mlops_pipeline.contract.load import find_contracts, load_contract
from mlops_pipeline.settings import read_settings


@dg.definitions
def models() -> dg.Definitions:
    """One set of definitions a model; a broken contract stops the load and says where."""
    contracts = find_contracts(read_settings().contract_folders)
    return dg.Definitions.merge(
        *(model_definitions(load_contract(path)) for path in contracts.values())
    )
