"""What a template of dbt can ask for, made when it asks: of a build of one landing day a fifth of the CPU.

dbt makes a context for each compilation and execution of a node and for each query of its own, 230 in a build of 45 nodes:
each time 860 macros, and some 80 values of which a template asks for five. Here the names are the same, with the same
macros and values behind them. Seen in dbt-core 1.11; `tests/dbt/test_dbt_overhead.py` compares with dbt's own.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from dbt.clients.jinja import MacroGenerator
from dbt.context.base import BaseContext
from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder
from dbt.context.manifest import ManifestContext
from dbt.include.global_project import PROJECT_NAME
from dbt_common.clients.jinja import MacroFuzzTemplate, NativeSandboxTemplate

Macros = dict[str, Any]
"""Macros as they are declared, by name."""
MOST_LAYOUTS = 32
"""One for each package with models and each manifest of a process."""


class Macro(MacroGenerator):
    """dbt's own, made in one step instead of three."""

    def __init__(self, macro: Any, context: Any, node: Any, stack: Any) -> None:
        self.macro, self.context, self.node, self.stack = macro, context, node, stack


class OnDemand(Mapping[str, Any]):
    """Macros by name, each made when it is asked for; a package among them is such a mapping itself."""

    def __init__(self, declared: Macros, make: Callable[[Any], Any]) -> None:
        self._declared, self._make = declared, make
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            one = self._declared[name]
            self._made[name] = OnDemand(one, self._make) if isinstance(one, dict) else self._make(one)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._declared

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)


@dataclass(frozen=True)
class Layout:
    """Which macros the nodes of one package see, by which name."""

    of: dict[str, Macros]
    """The macros of the manifest by package."""
    merged: Macros
    packages: dict[str, Macros]
    internal: Macros

    @classmethod
    def made(cls, of: dict[str, Macros], search_package: str, root_package: str, internal: list[str]) -> "Layout":
        """Where a name stands twice, the one that dbt's search meets first: of the node's package, of the project, a
        package, one of dbt's own.
        """
        own: Macros = {}
        for name in reversed(internal):  # the adapter's before dbt's
            own |= of.get(name, {})
        packages = {name: macros for name, macros in of.items() if name not in internal}
        merged = {**own, PROJECT_NAME: own, **packages}
        return cls(of, merged | packages.get(root_package, {}) | packages.get(search_package, {}), packages, own)


_layouts: dict[tuple[int, str, str, tuple[str, ...]], Layout] = {}


def _layout(of: dict[str, Macros], search_package: str, root_package: str, internal: list[str]) -> Layout:
    key = (id(of), search_package, root_package, tuple(internal))
    found = _layouts.get(key)
    if found is None or found.of is not of:
        if len(_layouts) >= MOST_LAYOUTS:
            _layouts.clear()
        found = _layouts[key] = Layout.made(of, search_package, root_package, internal)
    return found


class MacrosOnDemand(OnDemand, MacroNamespace):
    """The namespace of a context."""

    def __init__(self, layout: Layout, make: Callable[[Any], Any]) -> None:
        OnDemand.__init__(self, layout.merged, make)
        self.packages = OnDemand(layout.packages, make)  # type: ignore[assignment]
        self.global_project_namespace = OnDemand(layout.internal, make)  # type: ignore[assignment]


class ContextOnDemand(dict[str, Any]):
    """The names that a template may use. Whoever asks for all of them gets all."""

    def __init__(self) -> None:
        super().__init__()
        self._later: Mapping[str, Callable[[], Any]] = {}
        self._macros: Mapping[str, Any] = {}

    def make_later(self, values: Mapping[str, Callable[[], Any]], macros: Mapping[str, Any]) -> None:
        """What is not made yet; a macro takes the place of a value of its name."""
        self._later, self._macros = values, macros

    def __missing__(self, name: str) -> Any:
        self[name] = value = self._macros[name] if name in self._macros else self._later[name]()
        return value

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._macros or name in self._later

    def get(self, name: str, default: Any = None) -> Any:
        """Its value, or another where there is none."""
        try:
            return self[name]
        except KeyError:
            return default

    def _all(self) -> dict[str, Any]:
        for name in (*self._later, *self._macros):
            if not super().__contains__(name):
                self.__missing__(name)
        self.make_later({}, {})
        return {name: super(ContextOnDemand, self).__getitem__(name) for name in super().__iter__()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len({*super().__iter__(), *self._later, *self._macros})

    def __bool__(self) -> bool:
        return True  # asked by Jinja for each template

    def keys(self) -> Any:
        """All names."""
        return self._all().keys()

    def values(self) -> Any:
        """Everything."""
        return self._all().values()

    def items(self) -> Any:
        """All names with what is behind them."""
        return self._all().items()

    def copy(self) -> dict[str, Any]:
        """A plain dictionary of everything."""
        return self._all()


def _build_namespace(self: Any, macros_by_package: Any, ctx: Any) -> MacroNamespace:
    node, stack = self.node, self.thread_ctx
    layout = _layout(macros_by_package, self.search_package, self.root_package, self.internal_package_names_order)
    return MacrosOnDemand(layout, lambda macro: Macro(macro, ctx, node, stack))


def _namespace_of_context(self: Any) -> MacroNamespace:
    self._ctx = ContextOnDemand()
    return _dbts_namespace_of_context(self)


def _value_of(context: Any, member: Any) -> Any:
    """A property is computed, a method bound; anything else stands for itself."""
    return member.__get__(context) if hasattr(member, "__get__") else member


def _to_dict(self: Any) -> Any:
    if not isinstance(self._ctx, ContextOnDemand):
        return _dbts_to_dict(self)  # type: ignore[no-untyped-call]
    if getattr(self.config, "dependencies", ()) is None:
        self.config.load_dependencies()  # making `var` did that, and looking for a macro needs it
    later: dict[str, Callable[[], Any]] = {
        name: partial(_value_of, self, member) for name, member in self._context_members_.items()
    }
    later["context"] = lambda: self._ctx
    later["builtins"] = lambda: BaseContext.generate_builtins(self)
    self._ctx.make_later(later, self.namespace)
    return self._ctx


_dbts_namespace_of_context = ManifestContext._build_namespace
_dbts_to_dict = ManifestContext.to_dict


def make_contexts_on_demand() -> None:
    """From now on in this process."""
    MacroNamespaceBuilder.build_namespace = _build_namespace  # type: ignore[method-assign]
    ManifestContext._build_namespace = _namespace_of_context  # type: ignore[method-assign]
    ManifestContext.to_dict = _to_dict  # type: ignore[method-assign, no-untyped-call]
    # As the templates of all other texts: the arguments of a data test made a copy of everything, each of them.
    NativeSandboxTemplate.new_context = MacroFuzzTemplate.new_context  # type: ignore[method-assign, assignment]
