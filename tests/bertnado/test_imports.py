"""The application can be imported, module by module, from what it declares."""

from support.modules import import_every_module


def test_every_module_can_be_imported():
    assert "bertnado.api" in import_every_module("bertnado")
