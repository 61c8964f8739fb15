"""Which machine and packages a fit ran on, as far as they can change its bytes."""

import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from mlops_pipeline.data.objects import canonical_json, digest_of

CPUINFO = Path("/proc/cpuinfo")
VECTOR_SETS = ("avx512f", "avx2", "avx", "asimd", "sse4_2")  # the widest first
OWN_NAME = "mlops-pipeline"  # its sources are digested as code


@dataclass(frozen=True, slots=True)
class Environment:
    """Numeric libraries choose their kernels by `vectors`, so equal bytes hold only within one."""

    python: str
    machine: str
    packages: str  # digest of every installed name==version
    vectors: str  # the widest vector instructions, or what ATEN_CPU_CAPABILITY says


def read_environment() -> Environment:
    """The environment of this process."""
    return Environment(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        machine=f"{platform.system()} {platform.machine()}",
        packages=digest_of(canonical_json(installed_packages())),
        vectors=os.environ.get("ATEN_CPU_CAPABILITY") or _vectors(),
    )


def installed_packages() -> dict[str, str]:
    """Version of every installed distribution, by normalised name."""
    found: dict[str, str] = {}
    for distribution in distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"] or "").lower()
        if name and name != OWN_NAME:
            found.setdefault(name, distribution.version)  # the first on the path is imported
    return dict(sorted(found.items()))


def _vectors() -> str:
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown"
    for line in text.splitlines():
        if line.startswith(("flags", "Features")):
            flags = set(line.partition(":")[2].split())
            return next((name for name in VECTOR_SETS if name in flags), "unknown")
    return "unknown"
