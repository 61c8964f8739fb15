"""Every error that this package raises on purpose.

    MlopsError
    ├── ContractError          a contract file says something it may not
    ├── SettingsError          the environment names something unusable
    ├── DataError
    │   ├── SourceError        a source gave nothing usable for a window
    │   ├── SnapshotMissing    no object has that digest
    │   └── SnapshotCorrupt    an object's bytes are not what its name says
    ├── FeatureError           a feature function broke its declaration
    ├── TrainingError          a trainer cannot fit what it was given
    ├── EvaluationError        models cannot be compared on these rows
    ├── RegistryError          a version is missing, unsigned or altered
    │   ├── Unsigned           a version carries no signed statement
    │   ├── UntrustedKey       nobody who is trusted signed a version
    │   └── Tampered           a byte is not the one that was signed
    ├── LedgerError
    │   └── LostRace           a compare-and-set met a newer epoch or generation
    ├── ServingError           a server cannot load or answer
    ├── RequestError           a client's request does not meet the contract
    ├── DeliveryError
    │   ├── RouterRejected     the router refused a configuration
    │   ├── StaleGeneration    a command is older than what the router holds
    │   └── NodeUnreachable    the serving node does not answer
    ├── MonitoringError        a monitor cannot judge what it was given
    └── CiError                the orchestrator refused or lost a run
        ├── LaunchRefused      what was asked for is not there: nothing was launched
        └── DagsterUnreachable the webserver gives no answer, for now

An expected bad outcome (a failed gate, drift, a canary that is rolled back) is a value, never one
of these. Each message says what, where, which value, and what to do now.
"""


class MlopsError(Exception):
    """The root: catch it at an edge to print one line instead of a traceback."""


class ContractError(MlopsError):
    """A contract file says something it may not; the text lists `file:line: path: what`."""


class SettingsError(MlopsError):
    """The environment names something unusable."""


class DataError(MlopsError):
    """Rows or objects are not what they should be."""


class SourceError(DataError):
    """A source gave nothing usable for a window."""


class SnapshotMissing(DataError):
    """No object has that digest."""


class SnapshotCorrupt(DataError):
    """An object's bytes are not what its name says."""


class FeatureError(MlopsError):
    """A feature function broke its declaration."""


class TrainingError(MlopsError):
    """A trainer cannot fit what it was given."""


class EvaluationError(MlopsError):
    """Models cannot be compared on these rows."""


class RegistryError(MlopsError):
    """A version is missing, unsigned or altered."""


class Unsigned(RegistryError):
    """A version carries no signed statement of where it came from."""


class UntrustedKey(RegistryError):
    """Nobody who is trusted signed the version."""


class Tampered(RegistryError):
    """A byte of the version, or of its statement, is not the one that was signed."""


class LedgerError(MlopsError):
    """The ledger cannot record or find something."""


class LostRace(LedgerError):
    """A compare-and-set met a newer epoch or generation: read again, decide again."""


class ServingError(MlopsError):
    """A server cannot load a version or answer with it."""


class RequestError(MlopsError):
    """A client's request does not meet the contract."""


class DeliveryError(MlopsError):
    """Traffic cannot be moved as asked."""


class RouterRejected(DeliveryError):
    """The router refused a configuration; the last good one still serves."""


class StaleGeneration(DeliveryError):
    """A command is older than what the router already holds; it changed nothing."""


class NodeUnreachable(DeliveryError):
    """The serving node does not answer: is `mlops serve` running?"""


class MonitoringError(MlopsError):
    """A monitor cannot judge what it was given."""


class CiError(MlopsError):
    """The orchestrator refused a launch or lost a run."""


class LaunchRefused(CiError):
    """A job, partition, config or run that is not there: nothing was launched."""


class DagsterUnreachable(CiError):
    """The webserver gives no answer; it may come back."""
