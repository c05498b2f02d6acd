import pytest

from gdlib import serve


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The folder of a translator after two steps of training."""
    folder = tmp_path_factory.mktemp("translator")
    serve.train_translator(folder, examples=64)
    return folder
