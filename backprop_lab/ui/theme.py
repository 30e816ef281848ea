"""Every colour shared by the pictures and the page, written once: both the pictures and the CSS take them from here."""

from typing import NamedTuple

PHASES = ("forward", "loss", "backward", "update")


class Theme(NamedTuple):
    """Colours of everything but the cells; those of each phase, and of what is right or wrong, are for text, readable
    on this paper."""

    paper: str
    ink: str
    faint: str
    grid: str
    forward: str
    loss: str
    backward: str
    update: str
    right: str
    wrong: str

    def phase(self, name: str) -> str:
        """The colour of one of PHASES."""
        return str(getattr(self, name))


LIGHT = Theme(
    paper="#ffffff",
    ink="#1a1a1a",
    faint="#5f5f5f",
    grid="#c4c4c4",
    forward="#0072b2",
    loss="#aa3377",
    backward="#b84a00",
    update="#7b62b5",
    right="#1b6e20",
    wrong="#b71c1c",
)
DARK = Theme(
    paper="#111111",
    ink="#f2f2f2",
    faint="#b0b0b0",
    grid="#555555",
    forward="#5cb8ee",
    loss="#ee88bb",
    backward="#ff9c55",
    update="#b5a3e6",
    right="#81d887",
    wrong="#ff8a80",
)
OPERAND, RESULT = "#e69f00", "#009e73"  # of the frames around the operands and the result of a step
HEATMAP = "coolwarm"  # of cells and runs; a colour map of matplotlib
NOT_FINITE = "#ffe04d"
LOST = "#c62828"  # of the stripes where the loss of a run has overflowed
CURVES = ("#009e73", "#d55e00", "#0072b2", "#aa3377")  # of losses, on light and dark paper alike
GREY = "#7a7a7a"  # readable on white and on black


def custom_properties() -> str:
    """The colours as CSS: of each phase `--bpl-phase`, to stand behind white text, and `--bpl-ink` for text itself.

    Text also has `--bpl-faint`, `--bpl-right` and `--bpl-wrong`.
    """
    rules = [f":root {{ --bpl-operand: {OPERAND}; --bpl-result: {RESULT}; }}"]
    for where, theme in ((":root", LIGHT), ('.bpl-dark, [data-jp-theme-light="false"]', DARK)):
        texts = (f"--bpl-{name}: {getattr(theme, name)};" for name in ("faint", "right", "wrong"))
        rules.append(f"{where} {{ {' '.join(texts)} }}")
    for phase in PHASES:
        colour = LIGHT.phase(phase)
        rules.append(f".bpl-{phase} {{ --bpl-phase: {colour}; --bpl-ink: {colour}; }}")
        rules.append(f'[data-jp-theme-light="false"] .bpl-{phase} {{ --bpl-ink: {DARK.phase(phase)}; }}')
    return "\n".join([*rules, ""])
