"""Registries: how a name in a study file becomes code, without a chain of ifs.

A registry is a dict that a decorator fills. A name is looked for in the modules of one package of
this project, imported when they are first needed, and then among installed packages that announce
a module as an entry point of the registry's group. A further property, estimator, design, source,
utility, task or engine is therefore one new module, here or in a package of the user's own:

    [project.entry-points."credit_plugin.properties"]
    sharpness = "my_package.sharpness"

The decorator and the dict follow peft's ``mapping.py``, the entry points MLflow's plugins.
"""

import difflib
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import Generic, TypeVar

from credit_plugin.errors import InputError

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Entries of one kind by name.

    Args:
        package: Package whose modules register entries.
        group: Group of the entry points by which installed packages announce theirs.
        kind: What an entry is, with its article, for errors.
        module_each: Every module of the package registers one entry under the module's name, so
            that names can be listed without importing what the entries need.
    """

    def __init__(self, package: str, group: str, kind: str, module_each: bool = False) -> None:
        self.package, self.group, self.kind = package, group, kind
        self.module_each = module_each
        self._entries: dict[str, Entry] = {}

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """Register the decorated class or function as ``name``."""

        def register(entry: Entry) -> Entry:
            self._entries[name] = entry
            return entry

        return register

    def names(self) -> list[str]:
        """Return all names that can be asked for, sorted."""
        if not self.module_each:
            self._import_modules()
        own = self._modules() if self.module_each else []
        return sorted({*own, *self._entries, *entry_points(group=self.group).names})

    def get(self, name: str, field: str) -> Entry:
        """Return the entry ``name``.

        Args:
            name: As a study file says it.
            field: Where it says so, for the error.

        Raises:
            InputError: If it is not registered.
        """
        if name not in self._entries and name in self._modules():
            import_module(f"{self.package}.{name}")
        if name not in self._entries:
            for announced in entry_points(group=self.group, name=name):
                announced.load()
        if name not in self._entries:
            self._import_modules()
        if name not in self._entries:
            names = self.names()
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(names)}"
            raise InputError(f"{field}: {name!r} is not {self.kind}; {hint}")
        return self._entries[name]

    def _modules(self) -> list[str]:
        return [module.name for module in iter_modules(import_module(self.package).__path__)]

    def _import_modules(self) -> None:
        for name in self._modules():
            import_module(f"{self.package}.{name}")
