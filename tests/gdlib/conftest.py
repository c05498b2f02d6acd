import jaxtyping
import pytest


@pytest.fixture
def untyped():
    """Without the type hook, as users run gdlib: so that its own errors are the ones that come."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
