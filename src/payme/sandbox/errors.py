"""What the sandbox raises in the program that runs it."""


class SandboxError(RuntimeError):
    """The sandbox can't be started as asked; the text says what to change."""
