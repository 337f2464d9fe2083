"""Elementwise operators of one, two or three operands."""

import torch
from torch import Tensor

TORCH_DTYPES = {
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "uint16": torch.int32,
    "int32": torch.int32,
    "uint32": torch.int64,
    "int64": torch.int64,
    "fp16": torch.float32,
    "fp32": torch.float32,
    "bool": torch.bool,
}


def add(x: Tensor, y: Tensor) -> Tensor:
    """`x + y`."""
    return x + y


def sub(x: Tensor, y: Tensor) -> Tensor:
    """`x - y`."""
    return x - y


def mul(x: Tensor, y: Tensor) -> Tensor:
    """`x · y`."""
    return x * y


def real_div(x: Tensor, y: Tensor) -> Tensor:
    """`x / y`; of integers the quotient without its fraction."""
    return x / y


def floor_div(x: Tensor, y: Tensor) -> Tensor:
    """The largest integer that is not above x / y."""
    return torch.div(x, y, rounding_mode="floor")


def mod(x: Tensor, y: Tensor) -> Tensor:
    """The remainder with y's sign."""
    return torch.remainder(x, y)


def power(x: Tensor, y: Tensor) -> Tensor:
    """`x` to the power of `y`."""
    return torch.pow(x, y)


def maximum(x: Tensor, y: Tensor) -> Tensor:
    """The larger one."""
    return torch.maximum(x, y)


def minimum(x: Tensor, y: Tensor) -> Tensor:
    """The smaller one."""
    return torch.minimum(x, y)


def equal(x: Tensor, y: Tensor) -> Tensor:
    """`x = y`."""
    return x == y


def not_equal(x: Tensor, y: Tensor) -> Tensor:
    """`x ≠ y`."""
    return x != y


def less(x: Tensor, y: Tensor) -> Tensor:
    """`x < y`."""
    return x < y


def less_equal(x: Tensor, y: Tensor) -> Tensor:
    """`x ≤ y`."""
    return x <= y


def greater(x: Tensor, y: Tensor) -> Tensor:
    """`x > y`."""
    return x > y


def greater_equal(x: Tensor, y: Tensor) -> Tensor:
    """`x ≥ y`."""
    return x >= y


def logical_and(x: Tensor, y: Tensor) -> Tensor:
    """Both."""
    return torch.logical_and(x, y)


def logical_or(x: Tensor, y: Tensor) -> Tensor:
    """At least one."""
    return torch.logical_or(x, y)


def logical_xor(x: Tensor, y: Tensor) -> Tensor:
    """Exactly one."""
    return torch.logical_xor(x, y)


def logical_not(x: Tensor) -> Tensor:
    """Not x."""
    return torch.logical_not(x)


def absolute(x: Tensor) -> Tensor:
    """|x|."""
    return x.abs()


def acos(x: Tensor) -> Tensor:
    """Inverse cosine."""
    return x.acos()


def asin(x: Tensor) -> Tensor:
    """Inverse sine."""
    return x.asin()


def atan(x: Tensor) -> Tensor:
    """Inverse tangent."""
    return x.atan()


def atanh(x: Tensor) -> Tensor:
    """Inverse hyperbolic tangent."""
    return x.atanh()


def ceil(x: Tensor) -> Tensor:
    """The next integer above."""
    return x.ceil()


def floor(x: Tensor) -> Tensor:
    """The next integer below."""
    return x.floor()


def nearest(x: Tensor) -> Tensor:
    """The nearest integer, ties to the even one."""
    return x.round()


def cos(x: Tensor) -> Tensor:
    """Cosine."""
    return x.cos()


def cosh(x: Tensor) -> Tensor:
    """Hyperbolic cosine."""
    return x.cosh()


def sin(x: Tensor) -> Tensor:
    """Sine."""
    return x.sin()


def sinh(x: Tensor) -> Tensor:
    """Hyperbolic sine."""
    return x.sinh()


def tan(x: Tensor) -> Tensor:
    """Tangent."""
    return x.tan()


def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent."""
    return x.tanh()


def erf(x: Tensor) -> Tensor:
    """The Gaussian error function."""
    return x.erf()


def exp(x: Tensor) -> Tensor:
    """`e` to the power of `x`."""
    return x.exp()


def exp2(x: Tensor) -> Tensor:
    """2 to the power of x."""
    return x.exp2()


def log(x: Tensor, epsilon: float) -> Tensor:
    """Natural logarithm of x + epsilon."""
    return (x + epsilon).log()


def inverse(x: Tensor, epsilon: float) -> Tensor:
    """1 / (x + epsilon)."""
    return (x + epsilon).reciprocal()


def rsqrt(x: Tensor, epsilon: float) -> Tensor:
    """1 / sqrt(x + epsilon)."""
    return (x + epsilon).rsqrt()


def sqrt(x: Tensor) -> Tensor:
    """The square root."""
    return x.sqrt()


def square(x: Tensor) -> Tensor:
    """`x · x`."""
    return x * x


def sign(x: Tensor) -> Tensor:
    """-1, 0 or 1."""
    return x.sign()


def threshold(x: Tensor, alpha: float) -> Tensor:
    """max(x, alpha)."""
    return x.clamp(min=alpha)


def clip(x: Tensor, alpha: float, beta: float) -> Tensor:
    """min(max(x, alpha), beta)."""
    return x.clamp(alpha, beta)


def cast(x: Tensor, dtype: str) -> Tensor:
    """`x` in another dtype; what becomes an integer loses its fraction, what becomes a bool is whether it is not 0."""
    return x.to(TORCH_DTYPES[dtype])


def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Elements of a where cond holds, else of b."""
    return torch.where(cond, a, b)
