"""Reading a serial console."""

import socket
import threading

from packerpy.kit.console import Console, plain


def test_output_is_kept_and_told_as_it_comes(tmp_path):
    """A listener is called for each piece; the text has no terminal escapes; closing twice does no harm."""
    ours, theirs = socket.socketpair()
    console = Console(ours, tmp_path / "log")
    seen = threading.Event()
    console.listen(lambda: seen.set() if "login:" in console.text else None)
    theirs.sendall(b"\x1b[2J\x1b[01;32mDebian\x1b[0m\r\n\r\n")
    theirs.sendall(b"web login: ")
    assert seen.wait(10)
    assert console.last_lines() == "Debian\nweb login:"
    console.send("root\n")
    assert theirs.recv(100) == b"root\n"
    console.close()
    console.close()
    theirs.close()


def test_only_the_last_part_is_kept(tmp_path):
    """A guest that floods its console does not fill our memory."""
    ours, theirs = socket.socketpair()
    console = Console(ours, tmp_path / "log")
    done = threading.Event()
    console.listen(lambda: done.set() if console.text.endswith("end") else None)
    for _ in range(64):
        theirs.sendall(b"x" * 16384)
    theirs.sendall(b"end")
    assert done.wait(10)
    assert len(console.text) <= 256 * 1024
    console.close()
    theirs.close()


def test_escapes_and_controls_are_removed():
    """Colours, cursor movements, bells and carriage returns."""
    assert plain("a\x1b[31mb\x07\x1b[1;5Hc\r\nd\te") == "abc\nd\te"


def test_only_what_came_since_a_mark(tmp_path):
    """Also when older output has been dropped in between."""
    ours, theirs = socket.socketpair()
    console = Console(ours, tmp_path / "log")
    done = threading.Event()
    console.listen(lambda: done.set() if console.text.endswith(("one", "end")) else None)
    theirs.sendall(b"one")
    assert done.wait(10)
    mark = console.mark()
    done.clear()
    assert console.after(mark, bool) is None
    for _ in range(20):
        theirs.sendall(b"x" * 16384)
    theirs.sendall(b"end")
    assert done.wait(10)
    assert console.mark() == 3 + 20 * 16384 + 3
    assert console.after(mark, lambda shown: shown.endswith("xend")) == console.mark()
    assert console.after(mark, lambda shown: "one" in shown) is None
    console.close()
    theirs.close()


def test_the_place_right_after_a_text(tmp_path):
    """What came with it in one piece is still to be read from there; escapes on the way do no harm."""
    ours, theirs = socket.socketpair()
    console = Console(ours, tmp_path / "log")
    done = threading.Event()
    console.listen(lambda: done.set() if console.text.endswith("> ") else None)
    theirs.sendall(b"\x1b[1mone\x1b[0m two\r\nprompt> ")
    assert done.wait(10)
    first = console.after(0, lambda shown: "one" in shown)
    assert first is not None
    assert first == len(b"\x1b[1mone")
    second = console.after(first, lambda shown: "prompt>" in shown)
    assert second == console.mark() - 1
    assert console.after(second, lambda shown: "prompt>" in shown) is None
    console.close()
    theirs.close()
