"""A small contract that is whole, as text and as data: each test breaks one thing of it."""

import copy
from typing import Any

import yaml

SMALL = """\
contract: 1
name: parcels
title: Will this parcel be late?
description: Asked when the parcel is handed over.
owner: team:parcels
task: binary
entity: [parcel]
event_time: handed_over
source: {name: parcels, function: "json:loads", first: 2024-01-01, last: 2024-06-01}
columns:
  - {name: parcel, type: integer}
  - {name: handed_over, type: time}
  - {name: region, type: category, categories: [north, south]}
  - {name: weight, type: number, nullable: true, minimum: 0, maximum: 50}
  - {name: hours_late, type: number, nullable: true, available: outcome}
target: {name: late, column: hours_late, above: 0, label_delay_hours: 24, unlabelled: none}
features:
  function: "json:dumps"
  columns:
    - {kind: category, name: region, inputs: [region]}
    - {kind: number, name: weight, inputs: [weight]}
    - {kind: history, name: region_late, keys: [region], days: 28}
splits: {train_from: 2024-01-01}
candidates:
  - {name: trees, trainer: lightgbm, params: {num_leaves: 7}}
acceptance:
  criteria:
    - {metric: roc_auc, at_least: 0.6}
slices:
  - {by: region, margin: 0.05}
rollout:
  guards:
    - {name: error, budget: 0.02}
monitoring:
  drift:
    - {column: weight}
"""


def small() -> dict[str, Any]:
    """The small contract as data, free to change."""
    return copy.deepcopy(yaml.safe_load(SMALL))


def line_of(fragment: str, text: str = SMALL) -> int:
    """The number of the one line that holds `fragment`."""
    found = [number for number, line in enumerate(text.splitlines(), 1) if fragment in line]
    assert len(found) == 1, f"{fragment!r} is on lines {found}"
    return found[0]
