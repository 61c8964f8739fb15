"""A new model: a folder that holds a whole contract and made-up data, and works at once."""

import importlib
import importlib.util
import keyword
import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.errors import ContractError

FILES = ("__init__.py", "contract.yaml", "features.py", "source.py")
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


@dataclass(frozen=True, slots=True)
class NewModel:
    """A model that was just made. `import_from` is the folder that Python must look in."""

    name: str
    folder: Path
    module: str
    import_from: Path
    importable: bool


def scaffold(name: str, parent: Path, *, task: str = "binary") -> NewModel:
    """`parent/name` holds a model that works for that task; no file that was there is touched.

    Raises:
        ContractError: the name is no name, is taken, or `parent` is no folder.
    """
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ContractError(
            f"{name!r} cannot name a model: take up to 41 small letters, digits and underscores, "
            "a letter first, and no word of Python"
        )
    if not parent.is_dir():
        raise ContractError(f"{parent} is no folder: make it first, or name another with --folder")
    folder = parent.resolve() / name
    if folder.exists():
        raise ContractError(f"{folder} exists already: take another name, or remove it")
    top, module = _module_of(folder)
    found = _found(module.partition(".")[0])
    if found is not None and "." not in module:
        raise ContractError(f"{name!r} is already the Python module {found}: take another name")
    _write(folder, {"name": name, "module": module, "task": task})
    load_contract(folder / "contract.yaml")  # what was just written is whole
    importlib.invalidate_caches()
    seen = _found(module)
    importable = seen is not None and seen.parent == folder
    return NewModel(name, folder, module, top, importable)


def _module_of(folder: Path) -> tuple[Path, str]:
    """The folder that must be on Python's path, and the dotted name of `folder` seen from it."""
    top, parts = folder.parent, [folder.name]
    while (top / "__init__.py").exists():
        parts.insert(0, top.name)
        top = top.parent
    return top, ".".join(parts)


def _found(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # a package above it is not importable
        return None
    return Path(spec.origin or module) if spec else None


def _write(folder: Path, words: dict[str, str]) -> None:
    templates = Environment(
        loader=PackageLoader("mlops_pipeline.contract"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Python and YAML are written, no HTML
    )
    folder.mkdir()
    for file in FILES:
        text = templates.get_template(f"{file}.jinja").render(words)
        (folder / file).write_text(text, encoding="utf-8")
