"""Every backend and instruction set that this machine can test, behind one constructor."""

from sterna.engine.kernels import AttentionShape, NativeProgram, supported_isas
from sterna.engine.kernels.reference_program import ReferenceProgram

AnyProgram = NativeProgram | ReferenceProgram

BACKENDS = ["reference", *supported_isas()]


def make_program(
    backend: str, attention: AttentionShape | None = None, threads: int = 2, max_tokens: int = 64
) -> AnyProgram:
    """Make an empty program of "reference" or of one instruction set of the native backend."""
    if backend == "reference":
        return ReferenceProgram(attention, 1)  # torch's threads cost more than they gain here
    program = NativeProgram(attention, threads, max_tokens, max_tokens, backend)
    assert program.isa == backend, "another instruction set than the forced one is active"
    return program
