"""What words of the command line may be: lengths, counts, forms; each refusal says the value and the limits."""

import argparse

FORMS = ("table", "json", "jsonl", "csv")
PICTURES = (".svg", ".png")


def seconds(text: str) -> float:
    """A length of time up to a day (s)."""
    number = float(text)
    if not 0 < number <= 86_400:
        raise argparse.ArgumentTypeError(f"was {text}, which must be above 0 and at most 86400 seconds")
    return number


def form_or_file(text: str) -> str:
    """A form of results, or a file whose ending says which picture it is."""
    if text in FORMS or text.lower().endswith(PICTURES):
        return text
    raise argparse.ArgumentTypeError(f"was {text!r}, which must be {', '.join(FORMS)}, or a file: .svg or .png")


def pixels(text: str) -> int:
    """The width of a picture file."""
    return _within(text, 320, 8000)


def count(text: str) -> int:
    """How many at most."""
    return _within(text, 1, 1_000_000)


def count_from_zero(text: str) -> int:
    """A seq."""
    return _within(text, 0, 2**63 - 1)


def _within(text: str, low: int, high: int) -> int:
    number = int(text)
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"was {text}, which must be {low} to {high}")
    return number
