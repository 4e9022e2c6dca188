"""The sandbox that the fixtures hand out."""

from payme.sandbox.sandbox import Sandbox


class OnDemandSandbox(Sandbox):
    """A sandbox that listens from the first time that its address is asked for.

    Most tests call it in-process, and a socket with a server costs a hundred times what the sandbox
    itself does.
    """

    @property
    def url(self) -> str:
        """Where to send calls to; the first look at it starts the server.

        Raises:
            SandboxError: If the sandbox was stopped.
            ImportError: If the server's libraries are not installed.
        """
        self.start()
        return super().url
