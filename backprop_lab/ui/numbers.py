"""Numbers as the board prints them: short enough for a cell, and never telling more than they know."""


def format_number(value: float) -> str:
    """At most five characters where that is honest: `–13.8`, `0.02`, `1e–5`; zero is `0` and never `–0.00`."""
    if value != value:
        return "nan"
    size = abs(value)
    if size == float("inf"):
        text = "inf"
    elif size < 1000 and size == int(size):
        text = f"{size:.0f}"
    elif size < 0.005 or size >= 9999.5:
        mantissa, power = f"{size:.0e}".split("e")
        text = f"{mantissa}e{int(power)}".replace("-", "–")
    else:
        text = f"{size:.{2 if size < 9.995 else 1 if size < 99.95 else 0}f}"
    return f"–{text}" if value < 0 else text


def as_printed(value: float) -> float:
    """The number that a reader takes from the board for this value."""
    return float(format_number(value).replace("–", "-"))
