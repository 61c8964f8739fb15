"""What a network is, whoever fits it: its shape, how it reads a row, the names of its weights.

A row becomes one float32 vector: for each number its standardised value (a missing one is the
mean), then for each number whether it was missing, then the embedding of each category (a missing
or unknown one has an embedding of its own, the last).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from mlops_pipeline.data.objects import canonical_json
from mlops_pipeline.errors import TrainingError
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.training.objectives import Link

CLIP = 8.0  # standard deviations: a value far beyond training's moves the answer no further
WIDEST_EMBEDDING = 16


@dataclass(frozen=True, slots=True)
class Network:
    """Shape and scaling of one network; `hidden` are the widths of its layers, input to output."""

    names: tuple[str, ...]
    cardinalities: tuple[int, ...]
    hidden: tuple[int, ...]
    mean: tuple[float, ...]  # of each number, among training rows
    scale: tuple[float, ...]  # standard deviation of each number, or 1 where it does not vary
    link: Link = "sigmoid"  # from what the last layer gives to scores
    outputs: int = 1  # of the last layer: one a class, where classes are asked for

    @property
    def numbers(self) -> list[int]:
        """Indices of the features that are numbers."""
        return [i for i, k in enumerate(self.cardinalities) if not k]

    @property
    def categories(self) -> list[int]:
        """Indices of the features that are categories."""
        return [i for i, k in enumerate(self.cardinalities) if k]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every weight by name; layers are stored as (out, in)."""
        found: dict[str, tuple[int, ...]] = {}
        width = 2 * len(self.numbers)
        for index in self.categories:
            dimension = embedding_width(self.cardinalities[index])
            found[f"embedding.{self.names[index]}"] = (self.cardinalities[index] + 1, dimension)
            width += dimension
        for layer, out in enumerate((*self.hidden, self.outputs)):
            found[f"layer.{layer}.weight"] = (out, width)
            found[f"layer.{layer}.bias"] = (out,)
            width = out
        return found


def embedding_width(cardinality: int) -> int:
    """About the square root of the number of categories, at most `WIDEST_EMBEDDING`."""
    return min(WIDEST_EMBEDDING, math.ceil(math.sqrt(cardinality)))


def plan_network(
    matrix: FeatureMatrix, hidden: tuple[int, ...], link: Link = "sigmoid", outputs: int = 1
) -> Network:
    """A network for these features, scaled by these rows."""
    numbers = [i for i, k in enumerate(matrix.cardinalities) if not k]
    present = np.ma.masked_invalid(matrix.values[:, numbers])
    with np.errstate(over="ignore"):
        mean = present.mean(axis=0).filled(0.0)
        deviation = present.std(axis=0).filled(0.0)
    scale = np.where((deviation > 0) & np.isfinite(deviation), deviation, 1.0)
    return Network(
        names=matrix.names,
        cardinalities=matrix.cardinalities,
        hidden=hidden,
        mean=tuple(np.asarray(mean).tolist()),
        scale=tuple(scale.tolist()),
        link=link,
        outputs=outputs,
    )


def encode(network: Network, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numeric part of each row's vector (n, 2m) as float32, and its category codes (n, c)."""
    numbers = values[:, network.numbers]
    missing = np.isnan(numbers)
    standard = (numbers - np.array(network.mean)) / np.array(network.scale)
    clipped = np.clip(np.where(missing, 0.0, standard), -CLIP, CLIP)
    codes = values[:, network.categories]
    unseen = np.array([network.cardinalities[i] for i in network.categories], dtype=np.float64)
    known = (codes >= 0) & (codes < unseen)  # false for NaN
    return (
        np.hstack([clipped, missing]).astype(np.float32),
        np.where(known, codes, unseen).astype(np.int64),
    )


def network_json(network: Network, importance: Mapping[str, float]) -> bytes:
    """Canonical JSON of the network and its importance; `read_network` reads it back."""
    return canonical_json({**msgspec.to_builtins(network), "importance": dict(importance)})


def read_network(content: bytes) -> tuple[Network, dict[str, float]]:
    """The network and the importance that `network_json` wrote.

    Raises:
        TrainingError: the content is something else.
    """
    try:
        data = msgspec.json.decode(content)
        return (
            msgspec.convert(data, Network),
            msgspec.convert(data["importance"], dict[str, float]),
        )
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError) as error:
        raise TrainingError(f"network.json describes no network: {error}") from error
