"""How gradients are kept on disk: number formats, and the bytes that they take.

n rows of one shard, L blocks.
"""

from enum import StrEnum


class StoreDtype(StrEnum):
    """How gradients are kept on disk."""

    FP32 = "fp32"
    """4 bytes a number."""
    BF16 = "bf16"
    """2 bytes, the range of fp32, about 3 digits."""
    FP16 = "fp16"
    """2 bytes, about 4 digits, values above 65504 are refused."""
    INT8 = "int8"
    """1 byte, 254 steps between a row's largest number in a block and its negative."""

    @property
    def bytes(self) -> int:
        """Bytes of one number."""
        return _BYTES[self]

    @property
    def scaled(self) -> bool:
        """Whether each row has a scale in each block, four bytes more."""
        return self is StoreDtype.INT8


_BYTES = {
    StoreDtype.FP32: 4,
    StoreDtype.BF16: 2,
    StoreDtype.FP16: 2,
    StoreDtype.INT8: 1,
}
