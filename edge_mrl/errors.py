"""Every error that edge_mrl raises on purpose.

    EdgeMrlError
    ├── BundleError            (ValueError)   a bundle is missing, damaged, hostile or too new
    ├── SliceError             (ValueError)   a slice that cannot be
    │   └── UntrainedDimError                 a prefix that the model was not trained for
    ├── BackendError           (RuntimeError) an inference engine refused a file or an input
    │   └── BackendMissingError               the engine is not installed; names the pip command
    ├── SelfTestError          (RuntimeError) a variant does not give its exported vectors
    ├── ProfileError           (ValueError)   a device profile is unknown or wrong
    ├── CalibrationError       (RuntimeError) a device cannot be measured now
    ├── PlanError              (ValueError)   nothing fits the device's budgets
    ├── InputError             (ValueError)   texts, vectors, ids or arguments that cannot be used
    │   ├── CorpusError                       a corpus file; names the line
    │   └── VectorFileError                   a file of vectors; names the row
    ├── IndexFileError         (ValueError)   an index file is missing, damaged, locked or too new
    │   └── IndexMismatchError                the index belongs to another model
    ├── ExtraMissingError      (RuntimeError) an optional package is missing; names the pip command
    ├── ServeError             (RuntimeError) the server cannot listen where it was asked to
    └── ExportError            (ValueError)   a model cannot be exported
        └── SizesNotRecordedError             its files do not say for which sizes it was trained

Each message is one sentence or two: what is wrong, and what to do. `exit_code` is what the command
line returns for it: 2 where the input is at fault, 1 where something failed on good input."""

from __future__ import annotations

from typing import ClassVar


class EdgeMrlError(Exception):
    """Base of every error in this package."""

    exit_code: ClassVar[int] = 2


class BundleError(EdgeMrlError, ValueError):
    """A bundle is missing, damaged, hostile, or of a newer schema."""


class SliceError(EdgeMrlError, ValueError):
    """A slice (dimensions x bits) that cannot be."""


class UntrainedDimError(SliceError):
    """A prefix length that the model was not trained for."""


class BackendError(EdgeMrlError, RuntimeError):
    """An inference engine refused a model file or an input."""

    exit_code = 1


class BackendMissingError(BackendError):
    """The engine that a variant needs is not installed."""

    exit_code = 2


class SelfTestError(EdgeMrlError, RuntimeError):
    """A variant does not reproduce the golden vectors it was exported with."""

    exit_code = 1


class ProfileError(EdgeMrlError, ValueError):
    """A device profile is unknown, or one of its fields is wrong."""


class CalibrationError(EdgeMrlError, RuntimeError):
    """A device cannot be measured now: it is busy, or something cannot be written."""

    exit_code = 1


class PlanError(EdgeMrlError, ValueError):
    """No slice fits the budgets of the device."""


class InputError(EdgeMrlError, ValueError):
    """Texts, vectors, ids or arguments that cannot be used."""


class CorpusError(InputError):
    """A corpus file that cannot be used; the message names the line."""


class VectorFileError(InputError):
    """A file of vectors that cannot be used; the message names the row where there is one."""


class IndexFileError(EdgeMrlError, ValueError):
    """An index file is missing, damaged, locked, or of a newer schema."""


class IndexMismatchError(IndexFileError):
    """An index was built with another model than the one it is opened with."""


class ExtraMissingError(EdgeMrlError, RuntimeError):
    """A package that only some tasks need is not installed."""


class ServeError(EdgeMrlError, RuntimeError):
    """The server cannot listen where it was asked to."""


class ExportError(EdgeMrlError, ValueError):
    """A model cannot be exported."""


class SizesNotRecordedError(ExportError):
    """A model's files do not say for which sizes it was trained. `dim` is its width."""

    def __init__(self, message: str, dim: int) -> None:
        super().__init__(message)
        self.dim = dim
