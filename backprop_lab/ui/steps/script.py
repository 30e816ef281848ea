"""The step on the board as a plain script, in NumPy alone and with the same numbers."""

from backprop_lab.nn.lines import literal
from backprop_lab.nn.steps import Step
from backprop_lab.step.trace import Trace


def numpy_script(trace: Trace) -> str:
    """A script that computes and prints every value of `trace`; it needs NumPy 2 or later, for `.mT`."""
    lines = [f"{name} = {literal(value)}" for name, value in trace.given.items()]
    phase, known = "", set(trace.given)

    def write(step: Step) -> None:
        for operand in step.operands:  # a planted mistake may use a value that is computed only later
            if operand not in known:
                write(trace.step(operand))
        if step.name not in known:
            known.add(step.name)
            lines.extend([f"{step.name} = {step.code}", f'print("{step.name} =", {step.name}, sep="\\n")'])

    for step in trace.steps:
        if step.phase != phase:
            phase = step.phase
            lines += ["", f"# {phase}"]
        write(step)
    code = "\n".join([*lines, ""])
    imports = ["import math"] * ("math." in code) + ["from fractions import Fraction"] * ("Fraction(" in code)
    return "\n".join([*imports, "import numpy as np", "", code])
