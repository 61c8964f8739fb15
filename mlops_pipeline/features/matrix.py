"""The matrix that every trainer fits and every server's row is one row of."""

from dataclasses import dataclass

import numpy as np

from mlops_pipeline.errors import FeatureError


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMatrix:
    """Rows of features, in the contract's order.

    `values` is float64 of shape (rows, features), C-contiguous; NaN is a missing value. A feature
    of cardinality 0 is a number; one of cardinality k holds the codes 0 … k-1 of the categories in
    the contract's order.
    """

    names: tuple[str, ...]
    values: np.ndarray
    cardinalities: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise FeatureError(
                f"a matrix of shape {self.values.shape} cannot hold {len(self.names)} features"
            )
        if self.values.dtype != np.float64 or not self.values.flags.c_contiguous:
            raise FeatureError(
                f"a feature matrix is C-contiguous float64, not {self.values.dtype} "
                f"with strides {self.values.strides}"
            )
        if len(self.cardinalities) != len(self.names):
            raise FeatureError(
                f"{len(self.cardinalities)} cardinalities for {len(self.names)} features"
            )

    def __len__(self) -> int:
        return len(self.values)

    def column(self, name: str) -> np.ndarray:
        """The values of one feature, a view of shape (rows,).

        Raises:
            FeatureError: there is no such feature.
        """
        if name not in self.names:
            raise FeatureError(f"no feature is named {name!r}; features: {', '.join(self.names)}")
        column: np.ndarray = self.values[:, self.names.index(name)]
        return column
