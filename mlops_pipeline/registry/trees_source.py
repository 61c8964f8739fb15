"""LightGBM's text of a model as C tables for `trees.c`: the same decisions, laid out to be walked.

    slot    how a row's value becomes a code: the rank among the feature's cuts, or the category;
            one for each way in which the trees treat what is missing in a feature
    node    goes right where the code is above `key`, or outside the set that begins at `key`
    leaf    a node that leads to itself; its answer stands in `values`

Source: LightGBM's include/LightGBM/tree.h, NumericalDecision and CategoricalDecision.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mlops_pipeline.errors import RegistryError

LANES = 8  # as in trees.c
_WIDE = 0xFFFF  # codes, keys and children have sixteen bits
_CATEGORICAL, _LEFT = 1, 2  # bits of a decision type; the two above say what is missing


@dataclass(frozen=True, slots=True)
class _Tree:
    features: Sequence[int]
    thresholds: Sequence[float]
    decisions: Sequence[int]
    left: Sequence[int]
    right: Sequence[int]
    leaves: Sequence[float]
    set_bounds: Sequence[int]
    set_words: Sequence[int]

    def words(self, split: int) -> Sequence[int]:
        """The set of categories that go left at the split, 32 to a word."""
        number = int(self.thresholds[split])
        return self.set_words[self.set_bounds[number] : self.set_bounds[number + 1]]


@dataclass(slots=True)
class _Tables:
    cuts: dict[int, list[float]]  # by feature, rising
    widths: dict[int, int]  # words of a set, by categorical feature
    slots: dict[tuple[int, int], int] = field(default_factory=dict)  # by feature and decision type
    sets: dict[tuple[int, ...], int] = field(default_factory=dict)  # where each begins
    words: list[int] = field(default_factory=lambda: [0])
    nodes: list[tuple[int, int, int, int]] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)


def tables_of(text: str) -> str:
    """The C header of the model's trees.

    Raises:
        RegistryError: the model is none of one logistic output, or is too large for the tables.
    """
    head, *parts = _parts(text)
    about = _fields(head)
    objective, _, sigmoid = about.get("objective", "").partition(" sigmoid:")
    if objective != "binary" or "average_output" in head.split():
        raise RegistryError(f"trees of objective {about.get('objective')!r} are not compiled")
    trees = [_tree(_fields(part)) for part in parts]
    tables = _Tables(_cuts(trees), _widths(trees))
    for tree in trees:
        _add(tables, tree)
    largest = max([len(tables.words), *map(len, tables.cuts.values())])
    if largest >= _WIDE or max(child for _, _, child, _ in tables.nodes) > _WIDE:
        raise RegistryError("the trees are too large to be compiled")
    return _header(tables, int(about["max_feature_idx"]) + 1, float(sigmoid))


def cuts_of(text: str) -> dict[int, list[float]]:
    """Every value at which a tree cuts a number, by feature, rising."""
    return _cuts([_tree(_fields(part)) for part in _parts(text)[1:]])


def _parts(text: str) -> list[str]:
    """What is said of the model, and of each tree."""
    return text.split("\nend of trees")[0].split("\nTree=")


def _fields(part: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in part.splitlines() if "=" in line)


def _tree(said: Mapping[str, str]) -> _Tree:
    if said.get("is_linear", "0") != "0":
        raise RegistryError("trees with linear leaves are not compiled")

    def whole(name: str) -> list[int]:
        return [int(word) for word in said.get(name, "").split()]

    def real(name: str) -> list[float]:
        return [float(word) for word in said.get(name, "").split()]

    return _Tree(
        features=whole("split_feature"),
        thresholds=real("threshold"),
        decisions=whole("decision_type"),
        left=whole("left_child"),
        right=whole("right_child"),
        leaves=real("leaf_value"),
        set_bounds=whole("cat_boundaries"),
        set_words=whole("cat_threshold"),
    )


def _cuts(trees: Iterable[_Tree]) -> dict[int, list[float]]:
    found: dict[int, set[float]] = {}
    for tree in trees:
        for feature, cut, kind in zip(tree.features, tree.thresholds, tree.decisions, strict=True):
            if not kind & _CATEGORICAL:
                found.setdefault(feature, set()).add(cut)
    return {feature: sorted(values) for feature, values in found.items()}


def _widths(trees: Iterable[_Tree]) -> dict[int, int]:
    found: dict[int, int] = {}
    for tree in trees:
        for split, feature in enumerate(tree.features):
            if tree.decisions[split] & _CATEGORICAL:
                # One word more than any set has: the code of what is in none falls into it.
                found[feature] = max(found.get(feature, 0), len(tree.words(split)) + 1)
    return found


def _add(tables: _Tables, tree: _Tree) -> None:
    """The tree's nodes from the root down, two children side by side."""
    queue = [0 if tree.features else -1]  # a split, or a leaf as LightGBM writes it: -1 - leaf
    depths = [0]
    tables.roots.append(len(tables.nodes))
    place = 0
    while place < len(queue):
        at = queue[place]
        if at < 0:
            tables.nodes.append((0, _WIDE, place, 0))  # no code is above
            tables.values.append(tree.leaves[-1 - at])
        else:
            tables.nodes.append((*_decision(tables, tree, at), len(queue), tree.decisions[at] & 1))
            tables.values.append(0.0)
            queue += (tree.left[at], tree.right[at])
            depths += [depths[place] + 1] * 2
        place += 1
    tables.depths.append(max(depths))


def _decision(tables: _Tables, tree: _Tree, split: int) -> tuple[int, int]:
    """Slot and key of a split."""
    feature, kind = tree.features[split], tree.decisions[split]
    if kind & _CATEGORICAL:
        slot = tables.slots.setdefault((feature, _CATEGORICAL), len(tables.slots))
        given = tree.words(split)
        words = (*given, *[0] * (tables.widths[feature] - len(given)))
        if words not in tables.sets:
            tables.sets[words] = len(tables.words)
            tables.words += words
        return slot, tables.sets[words]
    slot = tables.slots.setdefault((feature, kind), len(tables.slots))
    return slot, tables.cuts[feature].index(tree.thresholds[split])


def _header(tables: _Tables, features: int, sigmoid: float) -> str:
    order = sorted(range(len(tables.roots)), key=lambda tree: tables.depths[tree])
    groups = [order[at : at + LANES] for at in range(0, len(order), LANES)]
    firsts, cuts = {}, [0.0]  # never empty, and so a table
    for feature, values in tables.cuts.items():
        firsts[feature] = len(cuts)
        cuts += values
    slots = [
        f"{{{feature}, 1, 0, 0, 0, {(tables.widths[feature] - 1) * 32}}}"
        if kind & _CATEGORICAL
        else f"{{{feature}, 0, {kind >> 2 & 3}, {kind >> 1 & 1}, {firsts[feature]}, "
        f"{len(tables.cuts[feature])}}}"
        for feature, kind in tables.slots
    ]
    lines = [
        f"#define FEATURES {features}",
        f"#define SLOTS {max(1, len(slots))}",
        f"#define TREES {len(order)}",
        f"#define GROUPS {len(groups)}",
        f"#define SIGMOID {sigmoid!r}",
        "struct slot { int feature, categorical, missing, left, first, count; };",
        "struct node { uint16_t slot, key, child, set; };",
        f"struct group {{ int levels; uint32_t roots[{LANES}]; uint16_t trees[{LANES}]; }};",
        _table("struct slot", "slots", slots or ["{0, 1, 0, 0, 0, 0}"]),
        _table("double", "cuts", map(repr, cuts)),
        _table("struct node", "nodes", (_row(node) for node in tables.nodes)),
        _table("double", "values", map(repr, tables.values)),
        _table("uint32_t", "sets", (f"{word}u" for word in tables.words)),
        _table("uint32_t", "roots", map(str, tables.roots)),
        _table("int", "depths", map(str, tables.depths)),
        _table("struct group", "groups", (_group(tables, g, len(order)) for g in groups)),
    ]
    return "\n".join(lines) + "\n"


def _group(tables: _Tables, trees: Sequence[int], count: int) -> str:
    """Eight trees; the last group is filled with its first one, whose answer goes to the end."""
    filled = [*trees, *[trees[0]] * (LANES - len(trees))]
    places = [*trees, *range(count, count + LANES - len(trees))]
    levels = max(tables.depths[tree] for tree in trees)
    return f"{{{levels}, {_row([tables.roots[tree] for tree in filled])}, {_row(places)}}}"


def _row(values: Iterable[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _table(kind: str, name: str, values: Iterable[str]) -> str:
    return f"static const {kind} {name}[] = {{{','.join(values)}}};"
