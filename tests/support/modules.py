"""The modules of an installed package."""

import pkgutil
from importlib import import_module


def import_every_module(package):
    """Import a package with all its modules; return their names."""
    found = import_module(package)
    names = [module.name for module in pkgutil.walk_packages(found.__path__, f"{package}.")]
    for name in names:
        import_module(name)
    return names
