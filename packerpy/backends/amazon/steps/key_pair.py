"""A temporary key pair; Amazon is given the public half only."""

from __future__ import annotations

import attrs

from packerpy.backends.amazon.errors import NotFound
from packerpy.backends.amazon.steps.thing import Thing
from packerpy.backends.amazon.tags import by_token, marks, specifications
from packerpy.contracts import Run, Step


@attrs.frozen(kw_only=True)
class ImportKeyPair(Thing, Step[str]):
    """Acquires a key pair's name.

    :ivar public: one line, ``ssh-ed25519 AAAA…``.
    """

    public: str

    @property
    def title(self) -> str:
        """Which."""
        return f"key pair packerpy-{self.token} in {self.region}"

    def do(self, run: Run) -> str:
        """Hand in the public half."""
        answer = self.at(run).call(
            "ec2.ImportKeyPair",
            KeyName=f"packerpy-{self.token}",
            PublicKeyMaterial=self.public.encode(),
            TagSpecifications=specifications(["key-pair"], marks(run, self.token, self.tags)),
        )
        return str(answer["KeyName"])

    def undo(self, run: Run, made: str) -> None:
        """Delete it."""
        try:
            self.at(run).call("ec2.DeleteKeyPair", KeyName=made)
        except NotFound:
            pass

    def find(self, run: Run) -> str | None:
        """By its mark."""
        found = self.at(run).call("ec2.DescribeKeyPairs", Filters=by_token(self.token))["KeyPairs"]
        return str(found[0]["KeyName"]) if found else None
