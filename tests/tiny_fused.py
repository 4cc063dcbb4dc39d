"""Fixture `fused`: tiny checkpoints of the methods that read documents apart; a test module names this in `pytest_plugins`."""

from __future__ import annotations

import pytest
from tiny_fid import Fused


@pytest.fixture(scope="session")
def fused(tmp_path_factory: pytest.TempPathFactory) -> Fused:
    """The tiny checkpoints of `tiny_fid.BUILDERS`."""
    return Fused(tmp_path_factory.mktemp("fused"))
