"""The option that renews the golden messages."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/ui --bless` writes the messages as they are now; read the difference."""
    parser.addoption("--bless", action="store_true", help="renew the golden messages")


@pytest.fixture
def bless(request: pytest.FixtureRequest) -> bool:
    """Whether golden messages are written instead of compared."""
    return bool(request.config.getoption("--bless", default=False))
