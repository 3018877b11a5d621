"""The language of boot commands."""

import pytest

from packerpy.declare import Secret, Variable, text
from packerpy.kit.boot_command import Fill, Hold, Key, Press, Release, TypeSecret, Wait, WaitFor, parse
from packerpy.kit.boot_command.keys import CHARACTERS, SPECIAL

SHIFT = True


@pytest.mark.parametrize(
    ("typed", "actions"),
    [
        ("aB", [Press(Key("a")), Press(Key("b", SHIFT))]),
        ("<enter><RETURN>\n", [Press(Key("ret"))] * 3),
        ("<pageup><pageDown>", [Press(Key("pgup")), Press(Key("pgdn"))]),
        ("<f12>", [Press(Key("f12"))]),
        ("<leftCtrlOn>c<leftCtrlOff>", [Hold(Key("ctrl")), Press(Key("c")), Release(Key("ctrl"))]),
        ("<leftshifton><RIGHTALTOFF>", [Hold(Key("shift")), Release(Key("alt_r"))]),
        ("<cOn><cOff><?On>", [Hold(Key("c")), Release(Key("c")), Hold(Key("slash", SHIFT))]),
        ("<leftCommand><rightOption>", [Press(Key("meta_l")), Press(Key("alt_r"))]),
        ("<wait>", [Wait(1)]),
        ("<wait90>", [Wait(90)]),
        ("<wait1m20s><wait1.5s><wait250ms><wait.5h>", [Wait(80), Wait(1.5), Wait(0.25), Wait(1800)]),
        ("<wait+2s>", [Wait(2)]),
        ('<wait for "a > \\"b\\"">', [WaitFor('a > "b"')]),
        ('<wait for "login:" 5m>', [WaitFor("login:", 300)]),
        ('<wait for "login:" 90>', [WaitFor("login:", 90)]),
        ("<http><httpIP><httpport><name>", [Fill("http"), Fill("httpip"), Fill("httpport"), Fill("name")]),
        ("<lt>>", [Press(Key("comma", SHIFT)), Press(Key("dot", SHIFT))]),
        ("", []),
    ],
)
def test_each_form_is_read(typed, actions):
    """A table of the language: text in, actions out, nothing wrong."""
    parsed = parse([typed])
    assert list(parsed.actions) == actions
    assert parsed.mistakes == ()


@pytest.mark.parametrize("name", SPECIAL)
def test_each_key_can_be_pressed_held_and_released(name):
    """All of Packer's keys, in any case."""
    key = Key(SPECIAL[name])
    parsed = parse([f"<{name}><{name.upper()}on><{name}Off>"])
    assert parsed.actions == (Press(key), Hold(key), Release(key))


def test_every_printable_character_has_a_key():
    """All of ASCII, each by another key or with Shift."""
    printable = [chr(code) for code in range(32, 127)]
    assert set(printable) <= set(CHARACTERS)
    assert len({CHARACTERS[character] for character in printable}) == len(printable)


@pytest.mark.parametrize(
    ("typed", "seen", "fix"),
    [
        ("<wiat>", "<wiat>", "did you mean <wait>?"),
        ("<Wait5>", "<Wait5>", "did you mean <wait>?"),
        ("<entr>", "<entr>", "did you mean <enter>?"),
        ("<leftCtlOn>", "<leftCtlOn>", "did you mean <leftCtrlOn>?"),
        ("<http_ip>", "<http_ip>", "did you mean <httpip>?"),
        ("<foo>", "<foo>", "<lt>"),
        ("< b", "<", "<lt>"),
        ("<>", "<>", "<lt>"),
        ("<wait0>", "<wait0>", "above 0"),
        ("<wait-5s>", "<wait-5s>", "above 0"),
        ("<wait5x>", "<wait5x>", "<wait5>"),
        ("<wait for login>", "<wait for login>", '<wait for "text">'),
        ('<wait for "">', '<wait for "">', '<wait for "text">'),
        ('<wait for "a" soon>', '<wait for "a" soon>', "5m"),
        ('<wait for "a" 0s>', '<wait for "a" 0s>', "5m"),
        ("é", "é", "another way"),
    ],
)
def test_what_cannot_be_typed_is_told(typed, seen, fix):
    """Packer types unknown tokens letter by letter; here each is a mistake with a way out."""
    (mistake,) = parse(["ab", typed]).mistakes
    assert (mistake.at, mistake.seen) == (3, seen)
    assert fix in mistake.fix


def test_all_mistakes_are_told_at_once():
    """One does not hide the next, and what is right is still read."""
    parsed = parse(["<wiat>a<foo>", "<entr>"])
    assert [mistake.seen for mistake in parsed.mistakes] == ["<wiat>", "<foo>", "<entr>"]
    assert [mistake.at for mistake in parsed.mistakes] == [1, 8, 13]
    assert parsed.actions == (Press(Key("a")),)


def test_texts_are_joined_and_secrets_are_not_read():
    """A token may be spread over texts; a secret is typed as it is, and its place is kept."""
    secret = Secret(value="<enter>")
    assert parse(["<en", "ter>", secret, "a"]).actions == (Press(Key("ret")), TypeSecret(secret), Press(Key("a")))


def test_composed_texts_are_taken_apart():
    """``packerpy.text`` joins what is known with what is not; a secret in it stays one."""
    secret = Secret(value="s3cret")
    actions = parse([text("<enter>", 7, secret, Variable("unknown"))]).actions
    assert actions == (Press(Key("ret")), Press(Key("7")), TypeSecret(secret), Press(Key("x")))


def test_a_variable_without_a_value_stands_for_text():
    """So that a declaration can be checked before it has its values."""
    assert parse(['<wait for "', Variable("prompt"), '">']).mistakes == ()
