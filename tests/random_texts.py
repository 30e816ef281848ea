"""Random forward passes with loops, functions, lists, conditions, changes in place and names used again."""

import numpy as np

OWN = ("a", "b", "c", "h")  # values that may be given anew
STACK = 4
GIVEN = {
    name: np.random.default_rng(at).standard_normal((STACK, 3, 3) if name == "T" else (3, 3))
    for at, name in enumerate(("X", "Y", "T", "W1", "W2", "a1"))
}


class RandomText:
    """A text, which need not run: a value may be used before it is there."""

    def __init__(self, rng, known=("X", "Y"), marker=""):
        self.rng, self.known, self.marker = rng, [*known], marker
        self.lists, self.holders, self.functions, self.numbers = [], [], [], []

    @staticmethod
    def of_seed(seed):
        one = RandomText(np.random.default_rng(seed))
        lines = [line for _ in range(one.rng.integers(3, 9)) for line in one.statement()]
        return "\n".join([*lines, f"L = np.sum({one.expression()} + {one.expression()})"])

    def one_of(self, *ways):
        return ways[self.rng.integers(len(ways))]

    def value(self):
        at = self.one_of(*self.numbers, *map(str, range(STACK)))
        return self.one_of(
            *(f"{each}[-1]" for each in self.lists), *(f"{each}['k']" for each in self.holders), f"T[{at} % {STACK}]",
            *self.known * 3,
        )  # fmt: skip

    def expression(self, depth=0):
        if depth > 2 or self.rng.random() < 0.25:
            return self.value()
        a, b = (self.expression(depth + 1) for _ in range(2))
        number = self.one_of(*self.numbers, "0", "1")
        called = [f"{name}({', '.join([a, b][:takes])})" for name, takes in self.functions]
        return self.one_of(
            f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"({a} @ {b})", f"np.tanh({a})", f"np.maximum({a}, 0)",
            f"{self.value()}.T", f"{self.value()}.reshape(3, 3)", f"sum({a} for q in range({self.one_of(1, 2, 3)}))",
            f"({a} if {number} > 0 else {b})", f"{number} * {self.value()}", "params['W1']", "params.W2", *called * 2,
        )  # fmt: skip

    def statement(self, depth=0):
        """Its lines. What is only there in a loop, such as a new list, is not begun in one."""
        kinds = [self.give, self.give, self.change, self.mask, self.append, self.put, self.two]
        kinds += [self.loop, self.condition] * (depth < 2) + [self.function] * (not depth)
        return self.one_of(*kinds)(depth)

    def body(self, depth):
        lines = [line for _ in range(self.rng.integers(1, 4)) for line in self.statement(depth + 1)]
        return [f"    {line}" for line in lines or ["pass"]]

    def give(self, _):
        line = f"{(name := self.one_of(*OWN))} = {self.expression()}"
        self.known.append(name)
        return [line]

    def change(self, _):
        own = [name for name in self.known if name in OWN]
        return [f"{self.one_of(*own)} {self.one_of('+=', '-=', '*=')} {self.expression()}"] if own else []

    def mask(self, _):
        own = [name for name in self.known if name in OWN]
        return [f"{(name := self.one_of(*own))}[{name} < 0] = {self.one_of('0', '-1', '0.1')}"] if own else []

    def append(self, depth):
        name, value = self.one_of("hs", "losses"), self.expression()
        if name not in self.lists and depth == 0:
            self.lists.append(name)
            return [f"{name} = [{value}]"]
        return [f"{name}.append({value})"] * (name in self.lists)

    def put(self, depth):
        value = self.expression()
        if not self.holders and depth == 0:
            self.holders.append("cache")
            return [f"cache = {{'k': {value}}}"]
        return [f"cache['k'] = {value}"] * bool(self.holders)

    def two(self, _):
        line = f"u, v = {self.expression()}, {self.expression()}"
        self.known += ["u", "v"]
        return [line]

    def loop(self, depth):
        known, numbers, i = [*self.known], [*self.numbers], f"i{self.marker}{depth}"
        over = self.one_of("range(3)", "reversed(range(2))", "enumerate(T)", "zip(T, [X, Y])", "T")
        is_pair, is_number = over[0] in "ez", over[0] in "re"
        self.known += [f"{i}_of"] * is_pair + [i] * (not is_number)
        self.numbers += [i] * is_number
        lines = [f"for {i}{f', {i}_of' * is_pair} in {over}:", *self.body(depth)]
        self.known = [name for name in self.known if name in known or name in OWN]
        self.numbers = numbers
        return lines

    def condition(self, depth):
        return [f"if {self.one_of(*self.numbers, '1', '0')} > 0:", *self.body(depth)]

    def function(self, _):
        name, takes = f"f{len(self.functions)}", int(self.rng.integers(1, 3))
        names = ["z0", "z1"][:takes]
        inner = RandomText(self.rng, (*names, "X"), "f")
        lines = [f"def {name}({', '.join(names)}):", *inner.body(0)]
        self.functions.append((name, takes))
        return [*lines, f"    return {inner.expression()}"]
