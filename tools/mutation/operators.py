"""The mutation operators: each takes a node of a syntax tree and returns what might stand there by mistake.

To add one, write a function that yields replacements for a node, and decorate it with what it does.
"""

import ast
import builtins
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import NamedTuple, TypeVar

N = TypeVar("N", bound=ast.AST)


class Scope(NamedTuple):
    """What an operator may know besides the node itself.

    Attributes
    ----------
    parent : ast.AST
        What holds the node.
    names : frozenset of str
        Names that the definition uses, so that none is invented.
    """

    parent: ast.AST
    names: frozenset[str]


class Operator(NamedTuple):
    """A kind of mistake.

    Attributes
    ----------
    name : str
    says : str
        What it changes, for the report.
    changes : callable
        (node, scope) to the nodes that may stand in its place.
    """

    name: str
    says: str
    changes: Callable[[ast.AST, Scope], Iterator[ast.AST]]


OPERATORS: list[Operator] = []
Changes = Callable[[ast.AST, Scope], Iterator[ast.AST]]


def operator(name: str, says: str) -> Callable[[Changes], Changes]:
    """Put a function into the table of operators."""

    def add(changes: Changes) -> Changes:
        OPERATORS.append(Operator(name, says, changes))
        return changes

    return add


def _with(node: N, **fields: object) -> N:
    """Return a copy of a node with other fields."""
    copy = deepcopy(node)
    for name, value in fields.items():
        setattr(copy, name, value)
    return copy


def _number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def _text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


@operator("arithmetic", "`+` and `-`, `*` and `/`, `|` and `&` exchanged")
def _arithmetic(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in ARITHMETIC:
        yield _with(node, op=ARITHMETIC[type(node.op)]())


@operator("term", "a term, a factor or a condition left out")
def _term(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp) and not (_text(node.left) or _text(node.right)):
        yield from (node.left, node.right)
    if isinstance(node, ast.BoolOp):
        for left_out in range(len(node.values)):
            rest = [value for place, value in enumerate(node.values) if place != left_out]
            yield rest[0] if len(rest) == 1 else _with(node, values=rest)


@operator("sign", "a minus or a `not` taken away, a minus put before a product or a quotient")
def _sign(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.UnaryOp):
        yield node.operand
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        within = scope.parent
        if not (isinstance(within, ast.BinOp) and isinstance(within.op, ast.Mult | ast.Div)):
            yield ast.UnaryOp(ast.USub(), node)


@operator("constant", "a number one up, one down or doubled, a truth turned over")
def _constant(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Constant):
        return
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
        yield ast.Constant(value - 1)
    elif isinstance(value, float):
        yield ast.Constant(2 * value if value else 1.0)


BOUNDARY: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
REVERSED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


@operator("comparison", "`>=` for `>`, `>` for `<`, `!=` for `==` and the like")
def _comparison(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            for table in (BOUNDARY, REVERSED):
                if type(op) in table:
                    yield _with(node, ops=[*node.ops[:place], table[type(op)](), *node.ops[place + 1 :]])


# A test that notices either also notices the condition negated.
@operator("condition", "a condition always true, or never")
def _condition(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.If | ast.IfExp):
        yield _with(node, test=ast.Constant(True))
        yield _with(node, test=ast.Constant(False))
    if isinstance(node, ast.comprehension):
        for place in range(len(node.ifs)):
            rest = [test for other, test in enumerate(node.ifs) if other != place]
            yield _with(node, ifs=rest)
            yield _with(node, ifs=[*rest, ast.UnaryOp(ast.Not(), node.ifs[place])])


@operator("logic", "`and` and `or`, `any` and `all` exchanged")
def _logic(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    if isinstance(node, ast.Call):
        yield from _renamed_call(node, {"any": "all", "all": "any"})


FUNCTIONS = {
    "amax": "amin",
    "amin": "amax",
    "argmax": "argmin",
    "abs": "square",
    "square": "abs",
    "min": "max",
    "max": "min",
    "zeros_like": "ones_like",
    "ones_like": "zeros_like",
    "new_zeros": "new_ones",
    "new_ones": "new_zeros",
    "zeros": "ones",
    "rsqrt": "sqrt",
    "sigmoid": "tanh",
    "randn": "rand",
    "sum": "mean",
    "sorted": "list",
    "reversed": "list",
    "removeprefix": "removesuffix",
    "removesuffix": "removeprefix",
    "stack": "cat",
}


@operator("function", "`min` and `max`, `sum` and `mean`, `zeros_like` and `ones_like` ... exchanged")
def _function(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        yield from _renamed_call(node, FUNCTIONS)


def _renamed_call(node: ast.Call, table: dict[str, str]) -> Iterator[ast.AST]:
    func = node.func
    if isinstance(func, ast.Name) and hasattr(builtins, table.get(func.id, "")):
        yield _with(node, func=ast.Name(table[func.id], ast.Load()))
    if isinstance(func, ast.Attribute) and func.attr in table:
        yield _with(node, func=_with(func, attr=table[func.attr]))


STEPS_ON_THE_WAY = {
    "abs", "clamp", "clone", "double", "eval", "expand", "flip", "index_add_", "item", "long", "lower",
    "masked_fill", "narrow", "removeprefix", "removesuffix", "split", "square", "squeeze", "sum_to_size",
    "transpose", "unsqueeze",
}  # fmt: skip


@operator("clip", "`clamp`, `abs`, `masked_fill`, `mT` ... left out")
def _clip(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    func = node.func if isinstance(node, ast.Call) else None
    if isinstance(func, ast.Attribute) and func.attr in STEPS_ON_THE_WAY:
        yield func.value
    if isinstance(node, ast.Attribute) and node.attr == "mT":
        yield node.value


@operator("arguments", "two arguments exchanged")
def _arguments(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Call) or _named(node.func) == "isinstance":
        return
    for place in _exchangeable(node.args):
        yield _with(node, args=_exchanged(node.args, place))


@operator("keyword", "an argument given by name left out")
def _keyword(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        for place, keyword in enumerate(node.keywords):
            if keyword.arg not in (None, "strict"):
                yield _with(node, keywords=node.keywords[:place] + node.keywords[place + 1 :])


def _named(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _exchangeable(items: Sequence[ast.expr]) -> Iterator[int]:
    """Return the places whose item differs from the next."""
    for place, (one, other) in enumerate(pairwise(items)):
        starred = isinstance(one, ast.Starred) or isinstance(other, ast.Starred)
        if not starred and ast.dump(one) != ast.dump(other):
            yield place


def _exchanged(items: Sequence[N], place: int) -> list[N]:
    return [*items[:place], items[place + 1], items[place], *items[place + 2 :]]


PAIRS = [
    "positive negative", "alpha beta", "low high", "gate signal", "of_gate of_signal", "more less",
    "excite inhibit", "i f", "f o", "i o", "r z", "hidden content", "fresh kept", "new kept", "w_ih w_hh",
    "b_ih b_hh", "of_a of_b", "a b", "of_input of_state", "before after", "x h", "x y", "x z", "min max",
    "ABOVE_LOW BELOW_HIGH", "POSITIVE NEGATIVE", "BOUNDED REAL", "NON_NEGATIVE SIGNED", "SQUARE ONE",
    "VALUE ONE", "REAL UNKNOWN", "stride padding", "kernel stride", "bias weight", "numerator denominator",
    "quotient share", "owed mass", "kept lost", "z relevance", "x quotient", "running_mean running_var",
    "scale shift", "_gates _candidate", "_of_input _of_state", "conv1d conv2d", "bias stabiliser",
    "forward backward", "of less", "sorted_indices unsorted_indices", "stabiliser denominator", "old new",
    "_sigmoid _tanh", "reverse forward", "batch_first bidirectional", "left right", "incoming outgoing",
]  # fmt: skip
OTHER_NAMES: dict[str, list[str]] = {}
for _pair in PAIRS:
    _one, _other = _pair.split()
    OTHER_NAMES.setdefault(_one, []).append(_other)
    OTHER_NAMES.setdefault(_other, []).append(_one)


@operator("name", "positive and negative, alpha and beta, gate and signal, i and f, x and h ... exchanged")
def _name(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Name):
        for other in OTHER_NAMES.get(node.id, ()):
            if other in scope.names:
                yield ast.Name(other, node.ctx)
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        for other in OTHER_NAMES.get(node.attr, ()):
            if other in scope.names or node.attr.isupper():
                yield _with(node, attr=other)
    if isinstance(node, ast.keyword) and node.arg:
        for other in OTHER_NAMES.get(node.arg, ()):
            if other in scope.names or node.arg in ("min", "max", "x", "h"):
                yield _with(node, arg=other)


WORDS = [
    "positive negative", "incoming outgoing", "bias stabiliser", "dropped initial_state", "dropped bias",
    "all half", "prop abs", "follow constant", "squared|times input", "score|positive score",
    "dense convolution", "sum pooling", "recurrent dense", "scaling dense", "same valid", "gates candidate",
]  # fmt: skip
OTHER_WORDS: dict[str, list[str]] = {}
for _pair in WORDS:
    _one, _other = _pair.split("|") if "|" in _pair else _pair.split()
    OTHER_WORDS.setdefault(_one, []).append(_other)
    OTHER_WORDS.setdefault(_other, []).append(_one)


@operator("word", "a column of the books, a kind of layer, a gate rule ... for another")
def _word(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        for other in OTHER_WORDS.get(node.value, ()):
            yield ast.Constant(other)


@operator("element", "an element of a tuple, list or mapping left out or exchanged with the next")
def _element(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Tuple | ast.List):
        for place in _exchangeable(node.elts):
            yield _with(node, elts=_exchanged(node.elts, place))
    if isinstance(node, ast.Tuple | ast.List | ast.Set) and not isinstance(
        getattr(node, "ctx", None), ast.Store
    ):
        for place in range(len(node.elts)):
            rest = node.elts[:place] + node.elts[place + 1 :]
            if rest or isinstance(node, ast.List):
                yield _with(node, elts=rest)
    if isinstance(node, ast.Dict):
        for place in range(len(node.keys)):
            keys, values = list(node.keys), list(node.values)
            del keys[place], values[place]
            yield _with(node, keys=keys, values=values)
        for place, (one_key, other_key) in enumerate(pairwise(node.keys)):
            if one_key is not None and other_key is not None:
                yield _with(node, values=_exchanged(node.values, place))


@operator("statement", "a call, an addition in place or a change of a variable left out")
def _statement(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    left_out = isinstance(node, ast.AugAssign | ast.Continue | ast.Break | ast.Delete)
    if isinstance(node, ast.Expr):
        left_out = isinstance(node.value, ast.Call | ast.Yield)
    if isinstance(node, ast.Assign):
        read = {name.id for name in ast.walk(node.value) if isinstance(name, ast.Name)}
        left_out = all(
            isinstance(target, ast.Attribute | ast.Subscript)
            or (isinstance(target, ast.Name) and target.id in read)
            for target in node.targets
        )
    if left_out:
        yield ast.Pass()


@operator("return", "nothing returned")
def _return(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    value = node.value if isinstance(node, ast.Return) else None
    if value is not None and not (isinstance(value, ast.Constant) and value.value is None):
        yield ast.Return(ast.Constant(None))


STEPS = {"step", "t", "at", "level", "index", "axis", "first", "last", "place", "node"}


@operator("step", "a step or an index one less, a slice without an end, a range one shorter")
def _step(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    called = getattr(scope.parent, "func", None) is node
    inner = called or isinstance(scope.parent, ast.Attribute)
    read = isinstance(getattr(node, "ctx", None), ast.Load) and _named(node) in STEPS
    if isinstance(node, ast.expr) and read and not inner:
        yield _one_less(node)
    if isinstance(node, ast.Slice):
        for end in ("lower", "upper", "step"):
            if getattr(node, end) is not None:
                yield _with(node, **{end: None})
    if isinstance(node, ast.Call) and _named(node.func) == "range":
        yield _with(node, args=[*node.args[:-1], _one_less(node.args[-1])])


def _one_less(node: ast.expr) -> ast.expr:
    return ast.BinOp(node, ast.Sub(), ast.Constant(1))


@operator("loop", "the first round of a loop left out")
def _loop(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.For | ast.comprehension):
        whole = ast.Call(ast.Name("list", ast.Load()), [node.iter], [])
        rest = ast.Subscript(whole, ast.Slice(ast.Constant(1)), ast.Load())
        yield _with(node, iter=rest)


@operator("arm", "two arms of a `match` exchanged, or one left out")
def _arm(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Match):
        for place, (one, other) in enumerate(pairwise(node.cases)):
            exchanged = [_with(one, body=other.body), _with(other, body=one.body)]
            yield _with(node, cases=[*node.cases[:place], *exchanged, *node.cases[place + 2 :]])
        for place in range(len(node.cases)):
            rest = node.cases[:place] + node.cases[place + 1 :]
            if rest:
                yield _with(node, cases=rest)


def replacements(node: ast.AST, scope: Scope) -> Iterator[tuple[str, ast.AST]]:
    """Return what may stand in place of a node, with the operator's name."""
    for name, _, changes in OPERATORS:
        for new in changes(node, scope):
            yield name, ast.fix_missing_locations(deepcopy(new))
