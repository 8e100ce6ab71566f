"""The client behind the package's functions."""

from typing import Optional

from .client import Client, never_raises

client = Client()


@never_raises(None)
def configure(url: Optional[str] = None, *, token: Optional[str] = None, spool: Optional[str] = None) -> None:
    """Settings in the program, where the environment is not the place. What is not given stays as it is."""
    client._configure(url, token, spool)


@never_raises(None)
def take_up() -> None:
    client._take_up()
