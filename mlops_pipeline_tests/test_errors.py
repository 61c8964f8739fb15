"""The exception tree is one tree, and its picture is true."""

import inspect

from mlops_pipeline import errors


def test_every_error_is_of_the_one_tree_and_stands_in_its_picture() -> None:
    drawn = [
        line.strip(" │├└─").split()[0] for line in (errors.__doc__ or "").splitlines()[2:] if line
    ]
    classes = dict(inspect.getmembers(errors, inspect.isclass))

    for name, error in classes.items():
        assert issubclass(error, errors.MlopsError)
        assert name in drawn
        assert error.__doc__


def test_the_picture_shows_each_error_below_its_parent() -> None:
    parents: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if "Mlops" not in line and "──" not in line:
            continue
        name = line.strip(" │├└─").split()[0]
        depth = (len(line) - len(line.lstrip(" │├└─"))) // 4 - 1
        parents[depth:] = [name]
        if depth:
            assert getattr(errors, name).__bases__ == (getattr(errors, parents[depth - 1]),)
