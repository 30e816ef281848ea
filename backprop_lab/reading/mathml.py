"""Formulas for browsers, which draw MathML themselves: made from as much LaTeX as `explanations` uses."""

import re
from functools import lru_cache
from html import escape
from itertools import pairwise

TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|\d+(?:\.\d+)?|\S")
SYMBOLS = {r"\top": "⊤", r"\odot": "⊙", r"\sum": "∑", r"\neq": "≠", r"\leq": "≤", r"\cdot": "·"}
LETTERS = {"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "eta": "η", "theta": "θ", "lambda": "λ", "mu": "μ",
    "nu": "ν", "phi": "φ", "psi": "ψ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "omega": "ω"}  # fmt: skip
SPACES = {r"\,": "0.2em", r"\;": "0.3em"}
FENCE = '<mo stretchy="false">'
SIGNS = ("<mo>=</mo>", "<mo>+</mo>", "<mo>−</mo>", "<mo>≠</mo>")
LONG = 12  # letters, signs and fractions, beyond which a formula may need more than a line
FUNCTIONS = ("max", "tanh", "log", "exp")


@lru_cache(maxsize=512)
def mathml(latex: str) -> str:
    """A formula as a `<math>` element, in which an unknown command stands as it is written.

    A long one is several, in a `<span>` that may go on in another line before a sign that no parenthesis is around.
    """
    lines, open_ones = list[list[str]]([[]]), 0
    parts = _parts(TOKEN.findall(latex))
    for before, part in pairwise(["", *parts]):
        if part.startswith(FENCE):
            open_ones += 1 if part[len(FENCE)] in "([" else -1
        if len(parts) > LONG and part in SIGNS and before not in ("", *SIGNS) and not open_ones:
            lines.append([])
            part = part.replace("<mo>", '<mo form="infix">')
        lines[-1].append(part)
    pieces = [f"<math><mrow>{''.join(line)}</mrow></math>" for line in lines]
    return f"<span>{'<wbr/>'.join(pieces)}</span>" if len(pieces) > 1 else pieces[0]


def _parts(tokens: list[str]) -> list[str]:
    """Everything up to a closing brace, or to the end; what is read is taken from `tokens`."""
    parts: list[str] = []
    while tokens and tokens[0] != "}":
        part = _one(tokens)
        scripts = {}
        while tokens and tokens[0] in "_^":
            kind = tokens.pop(0)
            scripts[kind] = _one(tokens)
        if scripts:
            tag = {"_": "msub", "^": "msup"}.get("".join(scripts), "msubsup")
            part = f"<{tag}>{part}{''.join(scripts[each] for each in '_^' if each in scripts)}</{tag}>"
        parts.append(part)
    return parts


def _one(tokens: list[str]) -> str:
    """The next thing alone: a symbol, a group in braces, or a command with what belongs to it."""
    token = tokens.pop(0)
    if token == "{":
        inside = f"<mrow>{''.join(_parts(tokens))}</mrow>"
        tokens.pop(0)
        return inside
    if token == r"\frac":
        return f"<mfrac>{_one(tokens)}{_one(tokens)}</mfrac>"
    if token == r"\sqrt":
        return f"<msqrt>{_one(tokens)}</msqrt>"
    if token == r"\hat":
        return f'<mover accent="true">{_one(tokens)}<mo stretchy="false">^</mo></mover>'
    if token[1:] in LETTERS:
        return f"<mi>{LETTERS[token[1:]]}</mi>"
    if token == r"\mathrm":
        return (
            re.sub(r"</?mi>", "", _one(tokens)).replace("<mrow>", '<mi mathvariant="normal">').replace("mrow>", "mi>")
        )
    if token in SPACES:
        return f'<mspace width="{SPACES[token]}"></mspace>'
    if token.removeprefix("\\") in FUNCTIONS:
        return f"<mi>{token[1:]}</mi>"
    if token in SYMBOLS:
        return f"<mo>{SYMBOLS[token]}</mo>"
    if token.startswith("\\"):
        return f"<mtext>{escape(token)}</mtext>"
    if token[0].isdigit():
        return f"<mn>{token}</mn>"
    if token in "[]()":  # as high as a letter, not as the sum beside it, and both of a pair alike
        return f"{FENCE}{token}</mo>"
    return f"<mi>{token}</mi>" if token.isalpha() else f"<mo>{escape(token.replace('-', '−'))}</mo>"
