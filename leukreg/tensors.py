"""Files of tensors, read without running what may stand in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leukreg.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def load_tensors(path: Path, device: str = "cpu") -> Any:
    """What ``torch.save`` wrote: tensors and plain values, never code.

    Raises:
        DataError: It is no such file; torch's own words advise to run whatever stands in it.
    """
    import pickle
    import warnings

    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on a file that it then refuses
            return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        what = "is damaged, or holds more than tensors, which leukreg does not load"
        raise DataError(f"{path}: {what}") from error
    except (OSError, MemoryError):
        raise
    except Exception as error:  # unpickling damaged bytes may raise anything
        raise DataError(f"{path}: is damaged, or holds no tensors") from error
