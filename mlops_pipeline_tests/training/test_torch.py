from collections.abc import Mapping

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.network import encode
from mlops_pipeline.training.onnx import WEIGHTS_FILE, OnnxModel, build_graph
from mlops_pipeline.training.torch import TorchTrainer, forward
from mlops_pipeline_tests.training.rows import learnable, rows

PARAMS = {"epochs": 2, "hidden": [8, 4], "batch_size": 64}


def fitted(**params: object) -> OnnxModel:
    """A network of the rule."""
    return TorchTrainer().fit(learnable(), learnable(), params={**PARAMS, **params}, seed=1)


def by_torch(model: OnnxModel, values: np.ndarray) -> np.ndarray:
    """What torch answers with the stored weights."""
    numbers, codes = encode(model.network, values)
    weights: Mapping[str, torch.Tensor] = {
        name: torch.from_numpy(array) for name, array in load(model.files()[WEIGHTS_FILE]).items()
    }
    odds = forward(model.network, weights, torch.from_numpy(numbers), torch.from_numpy(codes))
    return torch.sigmoid(odds.double()).numpy()


def test_the_graph_answers_as_torch_does_on_raw_rows() -> None:
    model = fitted()
    values = learnable(seed=4).matrix.values
    values = np.vstack([values, [[np.nan] * 3, [7.0, 1e12, -1e12], [-2.0, np.inf, 0.0]]])
    assert np.abs(model.predict(values) - by_torch(model, values)).max() < 1e-6


def test_one_row_is_answered_as_in_a_batch() -> None:
    model, values = fitted(), learnable(seed=4).matrix.values[:20]
    alone = np.concatenate([model.predict(row[None, :]) for row in values])
    assert np.abs(alone - model.predict(values)).max() < 1e-6


@pytest.mark.parametrize("hidden", [[], [3], [3, 2, 2]])
def test_any_number_of_hidden_layers_fits(hidden: list[int]) -> None:
    model = fitted(hidden=hidden)
    values = learnable(seed=4).matrix.values
    assert np.abs(model.predict(values) - by_torch(model, values)).max() < 1e-6


def test_another_seed_is_another_network() -> None:
    again = TorchTrainer().fit(learnable(), learnable(), params=PARAMS, seed=2)
    assert again.files()[WEIGHTS_FILE] != fitted().files()[WEIGHTS_FILE]


def test_fitting_leaves_the_state_of_torch_as_it_was() -> None:
    torch.manual_seed(11)
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    expected = torch.Generator().manual_seed(11)
    fitted(num_threads=1)
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
    assert torch.equal(torch.rand(3), torch.rand(3, generator=expected))


def test_the_graph_is_built_without_torch_in_equal_bytes() -> None:
    model = fitted()
    weights = load(model.files()[WEIGHTS_FILE])
    assert build_graph(model.network, weights) == model.files()["model.onnx"]


def test_a_loss_that_explodes_is_an_error_that_says_what_to_change() -> None:
    with pytest.raises(TrainingError, match=r"the loss is nan after .* or weight_decay=1e\+38"):
        fitted(learning_rate=1, weight_decay=1e38)


def test_values_too_large_to_scale_are_clipped_not_spread() -> None:
    values = learnable().matrix.values * np.array([1.0, 1e300, 1.0])
    huge = rows(values, learnable().labels)
    model = TorchTrainer().fit(huge, huge, params=PARAMS, seed=1)
    assert np.isfinite(model.predict(values)).all()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(TrainingError, match="device='cuda': this machine has no CUDA device"):
        fitted(device="cuda")


def test_auto_takes_the_device_there_is_and_records_it() -> None:
    assert fitted(device="auto").facts()["device"] in ("cpu", "cuda")
