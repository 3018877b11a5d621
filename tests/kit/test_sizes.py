"""Amounts, as people write them."""

import pytest

from packerpy.errors import DeclarationError
from packerpy.kit.sizes import parse_size, show_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("1 GiB", 1 << 30), ("512M", 512 << 20), ("1.5 GB", 1_500_000_000), ("7", 7), (4096, 4096), (" 2 tib ", 2 << 40)],
)
def test_sizes_are_read(text, size):
    """Binary and decimal units, with and without a space."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "1 GiBi", "-1", "0", "GiB", 0, -3, True, None, "1,5 GB"])
def test_nonsense_is_refused(text):
    """Zero and less are nonsense too."""
    with pytest.raises(DeclarationError):
        parse_size(text)


def test_sizes_are_shown():
    """In the largest unit that fits."""
    assert [show_size(n) for n in (1, 1536, 3 << 30, 5 << 40)] == ["1 B", "1.5 KiB", "3 GiB", "5 TiB"]
