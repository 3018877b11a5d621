"""An image that holds the volumes of a machine between two steps of its build."""

from __future__ import annotations

import attrs

from packerpy.backends.amazon.errors import OtherAccount
from packerpy.backends.amazon.steps.image import CreateImage
from packerpy.contracts import Run


@attrs.frozen(kw_only=True)
class LayerImage(CreateImage):
    """Acquires one, of an instance that goes on.

    It may be removed long after it was made, with whatever credentials there are then.

    :ivar account: whose it is.
    """

    account: str

    @property
    def title(self) -> str:
        """Which."""
        return f"saved machine {self.name} in {self.region}"

    def find(self, run: Run) -> str | None:
        """By its mark.

        :raises OtherAccount: the credentials are another account's, which says nothing of this one.
        """
        account = str(self.at(run).call("sts.GetCallerIdentity")["Account"])
        if account != self.account:
            raise OtherAccount(self.title, self.account, account)
        return super().find(run)
