"""A small network, fitted with torch: embeddings for categories, scaled numbers, hidden layers.

The only importer of torch. Fitting draws every random number from its own generator and pins the
number of threads, because sums over another number of threads are other sums.
"""

import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.calibration import fit_scaling
from mlops_pipeline.training.checks import (
    require_calibratable,
    require_trainable,
    require_validation,
    shares,
)
from mlops_pipeline.training.network import Network, encode, network_json, plan_network
from mlops_pipeline.training.objectives import Objective, objective_of
from mlops_pipeline.training.onnx import (
    GRAPH_FILE,
    NETWORK_FILE,
    WEIGHTS_FILE,
    OnnxModel,
    build_graph,
)
from mlops_pipeline.training.params import Params, read_params
from mlops_pipeline.training.protocols import Fact
from mlops_pipeline.training.rows import LabelledRows

if TYPE_CHECKING:
    from torch import Generator, Tensor

NAME = "torch"
IMPORTANCE_ROWS = 4000


class TorchParams(Params):
    """How the network is built and fitted; the learning rate falls to 0 along half a cosine."""

    epochs: int = Field(default=3, ge=1, le=1000)
    hidden: tuple[int, ...] = Field(default=(64, 32), max_length=8)
    batch_size: int = Field(default=1024, ge=1)
    learning_rate: float = Field(default=0.003, gt=0, le=1)
    weight_decay: float = Field(default=1e-4, ge=0)
    early_stopping_epochs: int | None = Field(default=None, ge=1)  # missing: the last epoch is kept
    loss: Literal["l2", "l1"] | None = None  # of a number; missing: squared error
    calibrate: bool = False  # by scaling on the validation rows, folded into the last layer
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    num_threads: int = Field(default=1, ge=1, le=64)


class TorchTrainer:
    """Fits a network by AdamW on the loss of what is asked."""

    def fit(
        self,
        train: LabelledRows,
        validation: LabelledRows,
        *,
        params: Mapping[str, Any],
        seed: int,
    ) -> OnnxModel:
        """See `Trainer.fit`."""
        asked = read_params(NAME, TorchParams, params)
        require_trainable(train, validation)
        if asked.early_stopping_epochs is not None:
            require_validation(validation, "early_stopping_epochs")
        started = time.monotonic()
        objective = objective_of(train.question, asked.loss)
        network = plan_network(train.matrix, asked.hidden, objective.link, objective.outputs)
        shift, scale = _scale(objective, train.labels)
        device = _device(asked.device)
        with _pinned(asked.num_threads):
            fitted = _Fit(network, objective, asked, seed, device).run(
                train.relabelled((train.labels - shift) / scale),
                validation.relabelled((validation.labels - shift) / scale),
            )
        facts: dict[str, Fact] = {
            "rounds": fitted.epochs,
            "device": device,
            "threads": asked.num_threads,
            "rows": len(train),
            "seconds": round(time.monotonic() - started, 3),
        }
        weights = {name: tensor.detach().cpu().numpy() for name, tensor in fitted.weights.items()}
        weights = _folded(network, weights, scale, shift)
        plain = OnnxModel(NAME, _files(network, weights, {}))
        if asked.calibrate:
            require_calibratable(validation)
            scores = plain.predict(validation.matrix.values)
            scaling = fit_scaling(validation.labels, scores)
            weights = _folded(network, weights, scaling.slope, scaling.intercept)
            plain = OnnxModel(NAME, _files(network, weights, {}))
            facts["calibration_slope"] = scaling.slope
            facts["calibration_intercept"] = scaling.intercept
        judged = validation if len(validation) else train
        importance = _importance(plain, objective, judged, seed)
        return OnnxModel(NAME, _files(network, weights, importance), facts)

    def check(self, params: Mapping[str, Any]) -> None:
        """See `Trainer.check`."""
        read_params(NAME, TorchParams, params)

    def load(self, files: Mapping[str, bytes]) -> OnnxModel:
        """See `Trainer.load`; torch itself is not needed for it."""
        return OnnxModel(NAME, files)


def forward(
    network: Network, weights: "Mapping[str, Tensor]", numbers: "Tensor", codes: "Tensor"
) -> "Tensor":
    """What the last layer gives for rows that `encode` read: (n,), or of classes (n, k)."""
    import torch
    from torch.nn import functional

    embedded = [
        functional.embedding(codes[:, place], weights[f"embedding.{network.names[index]}"])
        for place, index in enumerate(network.categories)
    ]
    hidden = torch.cat([numbers, *embedded], dim=1)
    for layer in range(len(network.hidden) + 1):
        hidden = functional.linear(
            hidden, weights[f"layer.{layer}.weight"], weights[f"layer.{layer}.bias"]
        )
        if layer < len(network.hidden):
            hidden = functional.relu(hidden)
    return hidden[:, 0] if network.outputs == 1 else hidden


class _Fit:
    """One fit: weights, optimiser, and the best weights seen so far."""

    def __init__(
        self, network: Network, objective: Objective, asked: TorchParams, seed: int, device: str
    ) -> None:
        import torch

        self.network = network
        self.objective = objective
        self.asked = asked
        self.device = device
        self.generator = torch.Generator().manual_seed(seed)
        self.weights = {
            name: _start(name, shape, self.generator).to(device).requires_grad_()
            for name, shape in network.shapes.items()
        }
        self.epochs = 0

    def run(self, train: LabelledRows, validation: LabelledRows) -> "_Fit":
        """Fit, stop early where asked, and hold the weights to keep."""
        inputs, watched = self._tensors(train), self._tensors(validation)
        optimiser = self._optimiser()
        best, kept, patience = math.inf, self.weights, self.asked.early_stopping_epochs
        for epoch in range(self.asked.epochs):
            self._epoch(epoch, optimiser, inputs)
            if patience is None:
                self.epochs = epoch + 1
                continue
            loss = self._loss(watched)
            if loss < best:
                best, self.epochs = loss, epoch + 1
                kept = {name: weight.detach().clone() for name, weight in self.weights.items()}
            elif epoch + 1 - self.epochs >= patience:
                break
        self.weights = kept
        return self

    def _optimiser(self) -> Any:
        import torch

        return torch.optim.AdamW(
            self.weights.values(),
            lr=self.asked.learning_rate,
            weight_decay=self.asked.weight_decay,
        )

    def _epoch(self, epoch: int, optimiser: Any, inputs: "tuple[Tensor, Tensor, Tensor]") -> None:
        import torch

        numbers, codes, labels = inputs
        order = torch.randperm(len(labels), generator=self.generator).to(self.device)
        batches = torch.split(order, self.asked.batch_size)
        for step, batch in enumerate(batches):
            done = (epoch + step / len(batches)) / self.asked.epochs
            for group in optimiser.param_groups:
                group["lr"] = self.asked.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
            answers = forward(self.network, self.weights, numbers[batch], codes[batch])
            loss = _loss_of(self.objective, answers, labels[batch])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
        if not math.isfinite(loss.item()):
            raise TrainingError(
                f"{NAME}: the loss is {loss.item()} after epoch {epoch + 1}: "
                f"lower learning_rate={self.asked.learning_rate} "
                f"or weight_decay={self.asked.weight_decay}"
            )

    def _loss(self, inputs: "tuple[Tensor, Tensor, Tensor]") -> float:
        import torch

        numbers, codes, labels = inputs
        with torch.no_grad():
            answers = forward(self.network, self.weights, numbers, codes)
            return float(_loss_of(self.objective, answers, labels))

    def _tensors(self, rows: LabelledRows) -> "tuple[Tensor, Tensor, Tensor]":
        import torch

        numbers, codes = encode(self.network, rows.matrix.values)
        parts = (numbers, codes, rows.labels.astype(np.float32))
        first, second, third = (torch.from_numpy(part).to(self.device) for part in parts)
        return first, second, third


def _loss_of(objective: Objective, answers: "Tensor", labels: "Tensor") -> "Tensor":
    """The objective's mean loss, as torch follows it back."""
    import torch
    from torch.nn import functional

    if objective.link == "sigmoid":
        return functional.binary_cross_entropy_with_logits(answers, labels)
    if objective.link == "softmax":
        return functional.cross_entropy(answers, labels.long())
    if objective.level is None:
        return functional.mse_loss(answers, labels)
    above = labels - answers
    return torch.maximum(objective.level * above, (objective.level - 1) * above).mean()


def _scale(objective: Objective, labels: np.ndarray) -> tuple[float, float]:
    """Shift and scale after which numbers are about as large as weights; odds stay as they are."""
    if objective.link != "identity":
        return 0.0, 1.0
    return float(labels.mean()), float(labels.std())


def _start(name: str, shape: tuple[int, ...], generator: "Generator") -> "Tensor":
    """Small embeddings, He's uniform layers (He et al. 2015, arXiv 1502.01852), zero biases."""
    import torch

    if name.startswith("embedding."):
        return torch.empty(shape).normal_(0.0, 0.1, generator=generator)
    if name.endswith(".bias"):
        return torch.zeros(shape)
    bound = math.sqrt(6.0 / shape[1])
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)


def _files(
    network: Network, weights: Mapping[str, np.ndarray], importance: Mapping[str, float]
) -> dict[str, bytes]:
    from safetensors.numpy import save

    return {
        GRAPH_FILE: build_graph(network, weights),
        WEIGHTS_FILE: save({name: np.ascontiguousarray(weights[name]) for name in sorted(weights)}),
        NETWORK_FILE: network_json(network, importance),
    }


def _folded(
    network: Network, weights: Mapping[str, np.ndarray], slope: float, intercept: float
) -> dict[str, np.ndarray]:
    """The same network with a scaled last layer."""
    if (slope, intercept) == (1.0, 0.0):
        return dict(weights)
    last = f"layer.{len(network.hidden)}"
    weight, bias = weights[f"{last}.weight"], weights[f"{last}.bias"]
    return {
        **weights,
        f"{last}.weight": (weight * slope).astype(np.float32),
        f"{last}.bias": (bias * slope + intercept).astype(np.float32),
    }


def _importance(
    model: OnnxModel, objective: Objective, rows: LabelledRows, seed: int
) -> dict[str, float]:
    """Permutation importance (Breiman 2001, section 10) by the loss, on a sample of the rows."""
    chance = np.random.default_rng(seed)
    size = min(IMPORTANCE_ROWS, len(rows))
    picked = np.sort(chance.choice(len(rows), size=size, replace=False))
    values, labels = rows.matrix.values[picked], rows.labels[picked]

    usual = objective.loss(labels, model.predict(values))
    gains = np.empty(len(model.feature_names))
    for index in range(len(gains)):
        shuffled = values.copy()
        shuffled[:, index] = chance.permutation(shuffled[:, index])
        gains[index] = objective.loss(labels, model.predict(shuffled)) - usual
    return dict(zip(model.feature_names, shares(gains).tolist(), strict=True))


def _device(asked: str) -> str:
    import torch

    found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        raise TrainingError(
            f"{NAME}: parameter device='cuda': this machine has no CUDA device; "
            "say 'auto' to take one where there is one"
        )
    if not found or asked == "cpu":
        return "cpu"
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or cuBLAS sums in any order
    return "cuda"


@contextmanager
def _pinned(threads: int) -> Iterator[None]:
    """Within: this many threads, and only deterministic algorithms. After: as it was before."""
    import torch

    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
