"""The package can be imported, module by module, from what it declares."""

from support.modules import import_every_module


def test_every_module_can_be_imported():
    assert "bertnado_train.final_model" in import_every_module("bertnado_train")


def test_every_public_name_exists():
    import bertnado_train

    assert [name for name in bertnado_train.__all__ if not hasattr(bertnado_train, name)] == []
