"""Texts of an exported program that torch evaluates as Python: symbolic sizes and guards, checked by their syntax."""

import ast
import re
from collections.abc import Callable

from samesight.conversion.sources.hazard import Hazard

Check = Callable[[ast.AST, str], None]

LONGEST = 20_000
LARGEST = 1 << 63
LARGEST_POWER = 16

# sympy's, as its `srepr` writes them, and those of torch.utils._sympy.functions.
# fmt: off
FUNCTIONS = frozenset({
    "Add", "Mul", "Pow", "Integer", "Float", "Rational", "Symbol", "Max", "Min", "Mod", "Abs", "And", "Or", "Not",
    "Xor", "Piecewise", "ExprCondPair", "floor", "ceiling", "Equality", "Unequality", "GreaterThan", "LessThan",
    "StrictGreaterThan", "StrictLessThan", "Eq", "Ne", "Ge", "Le", "Gt", "Lt", "FloorDiv", "ModularIndexing",
    "Where", "PythonMod", "CleanDiv", "CeilToInt", "FloorToInt", "CeilDiv", "LShift", "RShift", "PowByNatural",
    "FloatPow", "FloatTrueDiv", "IntTrueDiv", "IsNonOverlappingAndDenseIndicator", "TruncToFloat", "TruncToInt",
    "RoundToInt", "RoundDecimal", "ToFloat", "Identity", "BitwiseFn_bitwise_and", "BitwiseFn_bitwise_or",
})
# fmt: on
POWERS = frozenset({"Pow", "PowByNatural", "FloatPow"})
SYMBOL = re.compile(r"[a-z]{1,3}\d{1,10}|oo|int_oo|true|false|nan|zoo", re.ASCII)
# Of Symbol and Float, such as `integer=True` and `precision=53`.
KEYWORD_VALUES = (bool, int)
TEXT_ARGUMENTS = {"Symbol": SYMBOL, "Float": re.compile(r"-?[\d.]{1,40}(e[+-]?\d{1,3})?", re.ASCII)}

GUARD_CHARACTERS = re.compile(r"[\w ()\[\].,'<>=!+\-*/%]*", re.ASCII)
GUARD_NAMES = frozenset({"L", "True", "False", "inf"})
GUARD_METHODS = frozenset({"size", "stride", "storage_offset", "dim"})
GUARD_FUNCTIONS = frozenset({"max", "min", "abs", "int", "float", "IsNonOverlappingAndDenseIndicator"})
GUARD_MODULES = {
    "math": re.compile(r"ceil|floor|trunc|sqrt|isclose|pow", re.ASCII),
    "torch": re.compile(r"_?sym_\w+", re.ASCII),
}

_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd, ast.Not)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def check_symbolic(text: str) -> None:
    """Refuse a symbolic size that is more than arithmetic of numbers and symbols.

    Raises:
        Hazard: with the beginning of the text.
    """
    try:
        _check_arithmetic(_parse(text), text, _symbolic)
    except (RecursionError, MemoryError):
        raise _refused(text) from None


def check_guard(text: str) -> None:
    """Refuse a guard that is more than a comparison of an input's sizes (raises as `check_symbolic`)."""
    # The text goes into a function as it is: it may not end the line, nor the message beside it.
    if not GUARD_CHARACTERS.fullmatch(text):
        raise _refused(text)
    try:
        _check_arithmetic(_parse(text), text, _guard)
    except (RecursionError, MemoryError):
        raise _refused(text) from None


def _refused(text: str) -> Hazard:
    return Hazard(f"{text[:60]!r} is no size or condition of sizes")


def _parse(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise _refused(text)
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        raise _refused(text) from None


def _check_arithmetic(node: ast.AST, text: str, other: Check) -> None:
    """Numbers, operators and comparisons; `other` judges what else there is."""
    match node:
        case ast.Constant(value=bool()):
            return
        case ast.Constant(value=int(value)) if abs(value) < LARGEST:
            return
        case ast.Constant(value=float()):
            return
        case ast.BinOp(op=ast.Pow(), left=left, right=ast.Constant(value=int(power))) if 0 <= power <= LARGEST_POWER:
            _check_arithmetic(left, text, other)
        case ast.BinOp(op=ast.Pow()):
            raise _refused(text)
        case ast.BinOp(op=operator, left=left, right=right) if isinstance(operator, _OPERATORS):
            _check_arithmetic(left, text, other)
            _check_arithmetic(right, text, other)
        case ast.UnaryOp(op=operator, operand=operand) if isinstance(operator, _OPERATORS):
            _check_arithmetic(operand, text, other)
        case ast.BoolOp(values=values):
            for operand in values:
                _check_arithmetic(operand, text, other)
        case ast.Compare(left=left, ops=operators, comparators=compared) if all(
            isinstance(operator, _COMPARISONS) for operator in operators
        ):
            for operand in (left, *compared):
                _check_arithmetic(operand, text, other)
        case _:
            other(node, text)


def _symbolic(node: ast.AST, text: str) -> None:
    match node:
        case ast.Name(id=name) if SYMBOL.fullmatch(name):
            return
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords) if name in FUNCTIONS:
            if not all(
                isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, KEYWORD_VALUES)
                for keyword in keywords
            ):
                raise _refused(text)
            if name in POWERS and not _is_small_power(arguments):
                raise _refused(text)
            for argument in arguments:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    if name not in TEXT_ARGUMENTS or not TEXT_ARGUMENTS[name].fullmatch(argument.value):
                        raise _refused(text)
                else:
                    _check_arithmetic(argument, text, _symbolic)
        case _:
            raise _refused(text)


def _is_small_power(arguments: list[ast.expr]) -> bool:
    if len(arguments) != 2:
        return False
    match arguments[1]:
        case ast.Constant(value=int(power)) | ast.Call(args=[ast.Constant(value=int(power))]):
            return 0 <= power <= LARGEST_POWER
        case ast.UnaryOp(operand=ast.Constant(value=int(power))):
            return power <= LARGEST_POWER
        case ast.Call(args=[ast.UnaryOp(operand=ast.Constant(value=int(power)))]):
            return power <= LARGEST_POWER
    return False


def _guard(node: ast.AST, text: str) -> None:
    match node:
        case ast.Name(id=name) if name in GUARD_NAMES:
            return
        case ast.Subscript(value=value, slice=ast.Constant(value=str(key))) if re.fullmatch(r"\w+", key, re.ASCII):
            _guard_base(value, text)
        case ast.Subscript(value=value, slice=ast.Constant(value=int())):
            _guard_base(value, text)
        case ast.Call(func=ast.Attribute(value=value, attr=method), args=[], keywords=[]) if method in GUARD_METHODS:
            _guard_base(value, text)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in GUARD_FUNCTIONS:
            for argument in arguments:
                _check_arithmetic(argument, text, _guard)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name), args=arguments, keywords=[]) if (
            module in GUARD_MODULES and GUARD_MODULES[module].fullmatch(name)
        ):
            for argument in arguments:
                _check_arithmetic(argument, text, _guard)
        case _:
            raise _refused(text)


def _guard_base(node: ast.AST, text: str) -> None:
    """What is subscripted or asked for its sizes: an input, or a part of one."""
    if not isinstance(node, ast.Name | ast.Subscript | ast.Call):
        raise _refused(text)
    _guard(node, text)
