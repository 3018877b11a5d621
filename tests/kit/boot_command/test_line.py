"""A kernel's arguments."""

import pytest

from packerpy.declare import Secret, Variable, text
from packerpy.errors import DeclarationError
from packerpy.kit.boot_command.line import line_of, mistakes_in, names_in

FILLS = {
    "http": "10.0.2.2:8080",
    "httpip": "10.0.2.2",
    "httpport": "8080",
    "name": "web",
    "sshpublickey": "ssh-ed25519 A b",
}


def test_tokens_are_filled_in():
    """In any case, several in a line; the escaped character is left alone."""
    parts = ["auto from=<HTTP> ", "host=<name> key='<sshpublickey>' a<lt>name>"]
    assert list(mistakes_in(parts)) == []
    assert names_in(parts) == {"http", "name", "sshpublickey"}
    assert line_of(parts, FILLS) == "auto from=10.0.2.2:8080 host=web key='ssh-ed25519 A b' a<name>"


@pytest.mark.parametrize(
    ("parts", "seen", "fix"),
    [
        (["a <htp>"], "<htp>", "did you mean `http`"),
        (["<enter>"], "<enter>", "use one of http"),
        (['<wait for "x">'], '<wait for "x">', "use one of"),
        ([Secret(env="P")], "a secret", "let the guest fetch it"),
        ([text("p=", Secret(env="P"))], "a secret", "let the guest fetch it"),
    ],
)
def test_mistakes(parts, seen, fix):
    """What cannot be filled in, and what everybody could read."""
    (mistake,) = mistakes_in(parts)
    assert mistake.seen == seen
    assert fix in mistake.fix


def test_a_variable_without_a_value():
    """It is none of the declaration's problems, but one when the machine is started."""
    parts = ["a=", Variable("a")]
    assert list(mistakes_in(parts)) == []
    with pytest.raises(DeclarationError, match="no value yet"):
        line_of(parts, FILLS)
