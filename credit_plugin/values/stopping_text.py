"""Stopping rules as a study file says them: ``budget(96) | interval_width(0.25)``.

What is understood: names of registered rules with numbers as arguments, by position or by name,
``&`` (binds more closely), ``|`` and brackets. The text is parsed as a Python expression and its
tree is walked; nothing in it is evaluated, and whatever is not in this list is refused.
"""

import ast
from inspect import Parameter, signature
from typing import NoReturn

from credit_plugin.errors import InputError
from credit_plugin.values.stopping import FIELD, RULES, Rule

LONGEST = 500
"""Characters; deeper nesting than fits into these is nobody's wish."""

LARGEST = 1e12


def parse_rule(text: str, **given: float) -> Rule:
    """Return the rule that a text says; ``str`` of the rule says it again.

    Args:
        text: For instance ``budget(96) | interval_width(0.25) & settled_ranks(0.5)``.
        given: Arguments that rules get by name where the text does not give them, for instance
            ``per_hour`` of ``money``.

    Raises:
        InputError: One line that names ``game.stop`` and the mend.
    """
    if len(text) > LONGEST:
        raise InputError(f"{FIELD}: is longer than {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError(
            f"{FIELD}: {text!r} is not a rule; write for instance "
            "budget(96) | interval_width(0.25) & settled_ranks(0.5)"
        ) from None
    return _rule(tree.body, given)


def _rule(node: ast.expr, given: dict[str, float]) -> Rule:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd):
        return _rule(node.left, given) & _rule(node.right, given)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _rule(node.left, given) | _rule(node.right, given)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _call(node, node.func.id, given)
    _refuse(node)


def _call(node: ast.Call, name: str, given: dict[str, float]) -> Rule:
    kind = RULES.get(name, FIELD)
    parameters = signature(kind).parameters
    arguments = [_number(argument) for argument in node.args]
    named = {keyword.arg or "**": _number(keyword.value) for keyword in node.keywords}
    open_ones = set(parameters) - set(list(parameters)[: len(arguments)]) - set(named)
    defaults = {k: v for k, v in given.items() if k in open_ones}
    try:
        if len(named) < len(node.keywords):
            raise TypeError("an argument is given twice")
        bound = signature(kind).bind(*arguments, **named, **defaults)
    except TypeError:
        said, takes = ast.unparse(node), f"{name}({_described(kind)})"
        raise InputError(f"{FIELD}: {said} cannot be used; the rule is {takes}") from None
    return kind(*bound.args, **bound.kwargs)


def _number(node: ast.expr) -> int | float:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand)
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        said = ast.unparse(node)
        raise InputError(f"{FIELD}: {said!r} is not a number; rules take numbers only")
    if value > LARGEST:
        raise InputError(f"{FIELD}: {value:g} is too large; leave the rule out")
    return value


def _described(kind: type[Rule]) -> str:
    return ", ".join(
        name if parameter.default is Parameter.empty else f"{name}={parameter.default}"
        for name, parameter in signature(kind).parameters.items()
    )


def _refuse(node: ast.expr) -> NoReturn:
    said = ast.unparse(node)
    if isinstance(node, ast.Name):
        kind = RULES.get(said, FIELD)
        raise InputError(f"{FIELD}: {said} needs its numbers: {said}({_described(kind)})")
    if isinstance(node, ast.BoolOp):
        raise InputError(f"{FIELD}: write & for 'and' and | for 'or' in {said!r}")
    raise InputError(
        f"{FIELD}: {said!r} cannot be used; rules are composed of {', '.join(RULES.names())} "
        "with &, | and brackets"
    )
