"""Every licence that is shipped is known and allowed, however its package says it."""

from email.message import Message

import pytest

from release.licences import licence, names, require_allowed


def about(**fields: str) -> Message:
    message = Message()
    message["Name"] = "some"
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (about(License_Expression="MIT OR Apache-2.0"), "MIT OR Apache-2.0"),
        (about(License="MIT"), "MIT"),
        (about(License="Apache License, Version 2.0"), "Apache-2.0"),
        (about(Classifier="License :: OSI Approved :: BSD License"), "BSD-3-Clause"),
        (about(License="All of it:\nCopyright …", Classifier="License :: OSI Approved :: MIT License"), "MIT"),
        (about(License="something else", Classifier="License :: Public Domain"), "Public-Domain"),
    ],
)
def test_it_is_read_from_where_it_stands(metadata: Message, expected: str) -> None:
    assert licence(metadata) == expected


def test_one_that_is_not_stated_is_not_guessed() -> None:
    with pytest.raises(RuntimeError, match="the licence of some was not stated"):
        licence(about())


def test_one_that_is_not_allowed_is_refused() -> None:
    require_allowed({"some": "(MIT AND MIT-0) OR Apache-2.0"})
    with pytest.raises(RuntimeError, match=r"other.*AGPL-3\.0-only"):
        require_allowed({"some": "MIT", "other": "MIT AND AGPL-3.0-only"})


def test_an_expression_is_taken_apart() -> None:
    assert names("(MIT OR Apache-2.0) AND PSF-2.0") == ["MIT", "Apache-2.0", "PSF-2.0"]
