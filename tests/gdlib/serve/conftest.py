import pytest


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The folder of a translator after two steps of training."""
    from gdlib import serve  # here: before the tests are collected, the type hook must not find it imported

    folder = tmp_path_factory.mktemp("translator")
    serve.train_translator(folder, examples=64)
    return folder
