"""What somebody may have meant: the unique beginning of a name, or the nearest one."""

from collections.abc import Iterable, Sequence

from robsonctl.exits import Ended, Exit


def whole(text: str, names: Iterable[str], what: str) -> str:
    """The name that `text` is or uniquely begins.

    Raises Ended (2) with the candidates, or with the nearest name.
    """
    known = sorted(names)
    if text in known:
        return text
    begun = [name for name in known if name.startswith(text)] if text else []
    match begun:
        case [only]:
            return only
        case []:
            raise Ended(Exit.USAGE, f"there is no {what} {text!r}", code="usage", hint=meant(text, known))
        case _:
            raise Ended(
                Exit.USAGE, f"{text!r} is the beginning of {len(begun)}: {', '.join(begun)}", code="ambiguous_name"
            )


def meant(text: str, names: Sequence[str]) -> str:
    """`did you mean …?`, or empty when nothing is near."""
    # Only for mistakes: a script that makes none does not wait for it.
    from difflib import get_close_matches

    near = get_close_matches(text.lower(), [name.lower() for name in names], n=2, cutoff=0.6)
    shown = [name for wanted in near for name in names if name.lower() == wanted]
    return f"did you mean {' or '.join(dict.fromkeys(shown))}?" if shown else ""
