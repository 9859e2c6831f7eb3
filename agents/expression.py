"""Exact arithmetic over an expression: parsed to a tree, walked over an allow-list of nodes, never executed.

All numbers are fractions, so 0.1 + 0.2 is 0.3. Length, depth, exponents and the size of every intermediate value are
bounded, and with them the time.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from fractions import Fraction
from types import MappingProxyType

MOST_CHARS = 500
MOST_DEPTH = 60
MOST_BITS = 8_192  # of numerator and denominator: some 2,460 digits
MOST_EXPONENT = 1_000

_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
        ast.FloorDiv: lambda left, right: Fraction(left // right),
        ast.Mod: operator.mod,
    }
)


class ExpressionRefused(Exception):
    """The text is no arithmetic that we evaluate; the message says why."""


def evaluate(expression: str) -> Fraction:
    """Return the exact value of an expression of numbers, brackets and + - * / // % **.

    Raises:
        ExpressionRefused: it holds anything else, divides by zero, or grows too big.
    """
    if len(expression) > MOST_CHARS:
        raise ExpressionRefused(f"the expression has more than {MOST_CHARS} characters")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ExpressionRefused("this is not an arithmetic expression") from error
    return _value(tree.body, expression.strip(), 0)


def shown(value: Fraction) -> dict[str, str | bool]:
    """Return a value for people: exact where decimals end, else the fraction and twelve digits of it."""
    if _ends(value.denominator):
        return {"value": _decimal(value), "exact": True}
    near = Context(prec=12).divide(Decimal(value.numerator), Decimal(value.denominator))
    return {"value": f"{value.numerator}/{value.denominator}", "decimal": str(near), "exact": False}


def _value(node: ast.expr, source: str, depth: int) -> Fraction:
    """Return the value of one node."""
    if depth > MOST_DEPTH:
        raise ExpressionRefused("the expression is nested too deeply")
    match node:
        case ast.Constant():
            return _number(node, source)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, source, depth + 1)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, source, depth + 1)
        case ast.BinOp(left=left, op=sign, right=right):
            return _binary(sign, _value(left, source, depth + 1), _value(right, source, depth + 1))
        case _:
            raise ExpressionRefused(f"{type(node).__name__} is not arithmetic")


def _number(node: ast.Constant, source: str) -> Fraction:
    """Return a literal as it is written, not as the nearest float."""
    if type(node.value) not in (int, float):
        raise ExpressionRefused(f"{type(node.value).__name__} is not a number")
    written = ast.get_source_segment(source, node) or ""
    try:
        # The exponent of 1e999999 would be computed in full; no question of this kind is written so.
        return _bounded(Fraction(written.replace("_", ""))) if "e" not in written.lower() else _refuse(written)
    except ValueError as error:
        raise ExpressionRefused(f"{written[:40]!r} is not a decimal number") from error


def _refuse(written: str) -> Fraction:
    """Refuse a number that is not written out."""
    raise ExpressionRefused(f"{written[:40]!r} is not a decimal number")


def _binary(sign: ast.operator, left: Fraction, right: Fraction) -> Fraction:
    """Return left sign right."""
    if isinstance(sign, ast.Pow):
        return _power(left, right)
    function = _OPERATORS.get(type(sign))
    if function is None:
        raise ExpressionRefused(f"{type(sign).__name__} is not arithmetic")
    try:
        return _bounded(function(left, right))
    except ZeroDivisionError as error:
        raise ExpressionRefused("it divides by zero") from error


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    """Return base ** exponent for a whole, small exponent; its size is checked before it is computed."""
    if exponent.denominator != 1 or abs(exponent.numerator) > MOST_EXPONENT:
        raise ExpressionRefused(f"exponents are whole numbers up to {MOST_EXPONENT}")
    if _bits(base) * max(1, abs(exponent.numerator)) > MOST_BITS:
        raise ExpressionRefused("the value is too big")
    try:
        return Fraction(base ** int(exponent))
    except ZeroDivisionError as error:
        raise ExpressionRefused("it divides by zero") from error


def _bounded(value: Fraction) -> Fraction:
    """Return the value if it is not too big."""
    if _bits(value) > MOST_BITS:
        raise ExpressionRefused("the value is too big")
    return value


def _bits(value: Fraction) -> int:
    """Return the bits of the longer of numerator and denominator."""
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _ends(denominator: int) -> bool:
    """Say whether a fraction with this denominator has an end in decimals."""
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1


def _decimal(value: Fraction) -> str:
    """Return a fraction that ends in decimals, written out."""
    exact = Context(prec=2 * MOST_BITS).divide(Decimal(value.numerator), Decimal(value.denominator))
    return f"{exact:f}"
