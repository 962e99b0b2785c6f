"""The backends by name: whether each can run here, and the program that it makes.

``native`` is C++ on the processor. ``reference`` is torch, on the processor or on a GPU: slow, and
the meaning of every operation; only it imports torch. ``STERNA_ISA`` forces an instruction set of
``native``; see ``supported_isas``.
"""

import os
from collections.abc import Mapping
from typing import Final, Protocol

from sterna.engine.kernels import _native
from sterna.engine.kernels.native import NativeProgram
from sterna.engine.kernels.program import AttentionShape, KVDtype, Program

supported_isas = _native.supported_isas

_ELEMENT_BYTES: Final[Mapping[KVDtype, int]] = {"float16": 2, "float32": 4, "int8": 1}
_SCALE_BYTES: Final = 4  # int8: a float32 for each token and head


def chosen_isa() -> str:
    """Return the native backend's instruction set: by ``STERNA_ISA``, else the best of this CPU.

    Raises ValueError for one that this CPU or build cannot run.
    """
    supported = supported_isas()
    isa = os.environ.get("STERNA_ISA") or supported[0]
    if isa not in supported:
        raise ValueError(f"STERNA_ISA must be one of {', '.join(supported)} here, found {isa!r}")
    return isa


class Backend(Protocol):
    """Makes programs. device: as torch names it, such as ``cpu`` and ``cuda:1``."""

    def check(self, device: str) -> None:
        """Raise ValueError, with the remedy, if this backend cannot run here on that device."""

    def stored_kv_dtype(self, kv_dtype: KVDtype) -> KVDtype:
        """Return what the cache holds when ``kv_dtype`` is asked for."""

    def make_program(
        self,
        attention: AttentionShape,
        num_threads: int,
        max_tokens: int,
        max_logits: int,
        device: str = "cpu",
    ) -> Program:
        """Make an empty program, for steps of up to T = max_tokens and S = max_logits.

        Raises MemoryError if the cache does not fit.
        """


class NativeBackend:
    """See ``Backend``."""

    def check(self, device: str) -> None:
        """Refuse an instruction set that this CPU does not have, and any device but it."""
        chosen_isa()
        if device != "cpu":
            raise ValueError(
                f"device {device!r}: backend native runs on the cpu alone; choose backend reference"
            )

    def stored_kv_dtype(self, kv_dtype: KVDtype) -> KVDtype:
        """Return what was asked for."""
        return kv_dtype

    def make_program(
        self,
        attention: AttentionShape,
        num_threads: int,
        max_tokens: int,
        max_logits: int,
        device: str = "cpu",
    ) -> Program:
        """See ``Backend``."""
        return NativeProgram(attention, num_threads, max_tokens, max_logits, chosen_isa())


class ReferenceBackend:
    """See ``Backend``."""

    def check(self, device: str) -> None:
        """Refuse where torch is missing, and a device that it does not find."""
        try:
            import torch  # noqa: PLC0415 (nobody else needs it, and it takes 200 MB)
        except ImportError:
            raise ValueError("backend reference needs torch: pip install 'sterna[torch]'") from None
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"device {device!r} cannot be used: {reason}") from None

    def stored_kv_dtype(self, kv_dtype: KVDtype) -> KVDtype:
        """Return float32: values are rounded as asked, and kept as floats."""
        return "float32"

    def make_program(
        self,
        attention: AttentionShape,
        num_threads: int,
        max_tokens: int,
        max_logits: int,
        device: str = "cpu",
    ) -> Program:
        """See ``Backend``."""
        from sterna.engine.kernels.reference_program import (  # noqa: PLC0415 (it imports torch)
            ReferenceProgram,
        )

        return ReferenceProgram(attention, num_threads, device)


BACKENDS: Final[Mapping[str, Backend]] = {
    "native": NativeBackend(),
    "reference": ReferenceBackend(),
}


def kv_head_bytes(head_size: int, stored: KVDtype) -> int:
    """Return the bytes of one head's key, or value, of one token in a cache of this type."""
    scale_bytes = _SCALE_BYTES if stored == "int8" else 0
    return head_size * _ELEMENT_BYTES[stored] + scale_bytes
