"""What the package says of itself is true: docstrings, registries, names and shapes.

Everything public is looked at: modules, classes, functions and methods whose names have no leading
underscore. Docstrings have the sections of Google's style; what a section names must be there, and
what is there must be named.
"""

import ast
import builtins
import inspect
import pkgutil
import re
import textwrap
from functools import cache
from importlib import import_module
from pathlib import Path
from pydoc import locate

import pytest

import credit_plugin
from credit_plugin.errors import InputError
from credit_plugin.registry import Registry

HEADINGS = ("Args", "Attributes", "Returns", "Yields", "Raises")
MANY = 4
"""So many parameters are not understood by their names."""
NUMERIC = ("values", "game", "properties", "fidelity", "compensation")
"""Packages whose arrays say their shape and whose functions of many parameters document them."""
ROOT = Path(__file__).parents[1]


def is_public(name):
    return not any(part.startswith("_") for part in name.split("."))


@cache
def modules():
    """Return every public module, imported."""
    found = pkgutil.walk_packages(credit_plugin.__path__, "credit_plugin.")
    return [credit_plugin, *(import_module(m.name) for m in found if is_public(m.name))]


@cache
def things():
    """Return (where, object, module) of everything public that is defined in the package."""
    found = []
    for module in modules():
        for name, thing in vars(module).items():
            own = getattr(thing, "__module__", "") == module.__name__
            if not own or not is_public(name) or not (inspect.isclass(thing) or callable(thing)):
                continue
            if inspect.isclass(thing) or inspect.isfunction(thing):
                found.append((f"{module.__name__}.{name}", thing, module))
            if inspect.isclass(thing):
                found += [
                    (f"{module.__name__}.{name}.{method}", function, module)
                    for method, function in methods(thing)
                ]
    return found


def methods(kind):
    """Yield the public methods and properties that a class itself defines, and no base has."""
    for name, member in vars(kind).items():
        known = any(name in vars(base) for base in kind.__mro__[1:])
        for attribute in ("__func__", "fget", "func"):  # of class methods and of properties
            member = getattr(member, attribute, member)
        if is_public(name) and inspect.isfunction(member) and not (known and not member.__doc__):
            yield name, member


def sections(thing):
    """Return the lines of each section of an object's own docstring, without their indent."""
    found, current = {}, None
    for line in inspect.cleandoc(thing.__doc__ or "").splitlines():
        if line.removesuffix(":") in HEADINGS and line.endswith(":"):
            current = found.setdefault(line[:-1], [])
        elif line and not line.startswith(" "):
            current = None
        elif current is not None:
            current.append(line[4:])
    return found


def entries(thing, heading):
    """Return the text of each entry of a section by name; ``a, b: text`` is two entries."""
    found, names = {}, ()
    for line in sections(thing).get(heading, ()):
        head = re.match(r"([\w.*]+(?:, [\w.*]+)*): ", f"{line} ")
        if head:
            names = [name.lstrip("*") for name in head[1].split(", ")]
        for name in names:
            found[name] = f"{found.get(name, '')} {line}"
    return found


def parameters(thing):
    """Return the parameters of a function, or those of a class's constructor."""
    try:
        given = inspect.signature(thing).parameters
    except (TypeError, ValueError):
        return {}
    return {name: p for name, p in given.items() if name not in ("self", "cls") and is_public(name)}


def attributes(kind):
    """Return every name that objects of a class have, those that a method sets among them."""
    names = set(dir(kind))
    for base in kind.__mro__:
        names |= {*getattr(base, "__annotations__", {}), *getattr(base, "model_fields", {})}
        if base.__module__.startswith("credit_plugin"):
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
            names |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)
                      and isinstance(n.ctx, ast.Store)}  # fmt: skip
    return names


def overrides(where, module):
    """Return whether a method does what one of a base does, which says more about it."""
    kind, _, name = where.removeprefix(f"{module.__name__}.").partition(".")
    bases = getattr(vars(module)[kind], "__mro__", ())[1:]
    return any(name in vars(base) for base in bases)


def numeric():
    """Return what lies in the packages of numbers and overrides nothing."""
    folders = tuple(f"credit_plugin.{name}" for name in NUMERIC)
    return [
        (where, thing)
        for where, thing, module in things()
        if where.startswith(folders) and not overrides(where, module)
    ]


def is_array(annotation):
    return str(getattr(annotation, "__name__", annotation)).split(" |")[0] in (
        "ndarray", "np.ndarray", "numpy.ndarray",
    )  # fmt: skip


def test_every_module_and_everything_public_has_a_docstring():
    bare = [module.__name__ for module in modules() if not (module.__doc__ or "").strip()]
    bare += [where for where, thing, _ in things() if not (thing.__doc__ or "").strip()]
    assert bare == []


def test_arguments_are_documented_all_or_none_and_under_their_names():
    wrong = []
    for where, thing, _ in things():
        told = set(entries(thing, "Args"))
        if told and told != set(parameters(thing)):
            wrong.append((where, sorted(told ^ set(parameters(thing)))))
    assert wrong == []


def test_attributes_are_there():
    wrong = []
    for where, thing, _ in things():
        if told := set(entries(thing, "Attributes")):
            wrong += [(where, name) for name in told - attributes(thing)]
    assert wrong == []


def test_fields_of_a_record_are_documented_all_or_none():
    wrong = []
    for where, thing, _ in things():
        told = entries(thing, "Attributes")
        fields = getattr(thing, "__dataclass_fields__", None) or getattr(thing, "_fields", ())
        if told and fields and inspect.isclass(thing):
            own = {name for name in fields if is_public(name) and name in thing.__annotations__}
            wrong += [(where, name) for name in own - set(told)]
    assert wrong == []


def test_errors_exist():
    """They are Python's, the package's own, the module's, or named with theirs."""
    own = {thing.__name__: thing for _, thing, _ in things() if inspect.isclass(thing)}
    wrong = []
    for where, thing, module in things():
        known = {**vars(builtins), **own, **vars(module)}
        for name in entries(thing, "Raises"):
            error = known.get(name) or locate(name)
            if not (inspect.isclass(error) and issubclass(error, BaseException)):
                wrong.append((where, name))
    assert wrong == []


def test_many_parameters_are_explained():
    wrong = []
    for where, thing in numeric():
        many = inspect.isfunction(thing) and len(parameters(thing)) >= MANY
        if many and not entries(thing, "Args"):
            wrong.append(where)
    assert wrong == []


def test_arrays_say_their_shape():
    """As in ``bool [m, n]``: in the entry of each, or anywhere for what is returned."""
    wrong = []
    for where, thing in numeric():
        if inspect.isclass(thing):
            told = entries(thing, "Attributes")
            kinds = dict(getattr(thing, "__annotations__", {}))
        else:
            told = entries(thing, "Args")
            kinds = {name: p.annotation for name, p in parameters(thing).items()}
            if is_array(thing.__annotations__.get("return")) and "[" not in thing.__doc__:
                wrong.append((where, "return"))
        arrays = {name: text for name, text in told.items() if is_array(kinds.get(name))}
        wrong += [(where, name) for name, text in arrays.items() if "[" not in text]
    assert wrong == []


@cache
def registries():
    """Return every registry by the group of its entry points."""
    found = [thing for module in modules() for thing in vars(module).values()]
    return {thing.group: thing for thing in found if isinstance(thing, Registry)}


def test_contributing_names_every_registry():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    announced = {
        f"credit_plugin.{name}" for name in re.findall(r"[`\"](?:credit_plugin)?\.(\w+)[`\"]", text)
    }
    assert set(registries()) <= announced
    assert len(registries()) == 13


def test_every_registered_name_is_reachable_and_says_what_it_is():
    silent = []
    for group, registry in registries().items():
        assert registry.names(), group
        for name in registry.names():
            entry = registry.get(name, "here")
            note = import_module(entry.__module__).__doc__.strip()
            if not (entry.__doc__ or "").strip() or len(note.splitlines()) == 1:
                silent.append((group, name))
        with pytest.raises(InputError, match="here: 'none of them'"):
            registry.get("none of them", "here")
    assert silent == []
