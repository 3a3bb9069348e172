"""What HTTP and webhook faults have in common: definitions, parameters, scopes, and the registry of active faults.

A module of faults defines each of them as a function or class with the decorator ``fault``; ``collect`` puts the
definitions of several modules into one catalog. Its docstring describes a fault for the documentation and the inspector:
what the client sees, a blank line, and when a real server does this. Parameters are the keyword-only arguments. Their
annotations are checked when a fault is added: ``Annotated[int, Bound(">=", 1)]`` restricts a number, and any function
that raises ValueError can restrict a value.
"""

import inspect
import operator
import random
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from itertools import count
from math import isfinite
from types import MappingProxyType, ModuleType, NoneType, TracebackType, UnionType
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar, Union, cast, get_args, get_origin

import attrs

F = TypeVar("F")

# Removed faults that stay listed, because their hits may still be read.
MAX_ENDED = 100

_COMPARISONS = MappingProxyType({">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt})
_TYPE_NAMES = MappingProxyType(
    {str: "text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}
)


@attrs.frozen
class Bound:
    """A limit of a number, in an ``Annotated`` type."""

    comparison: Literal[">=", ">", "<=", "<"]
    limit: float

    def __call__(self, value: float) -> None:
        """Raise ValueError for a number outside the limit."""
        if not _COMPARISONS[self.comparison](value, self.limit):
            raise ValueError(f"must be {self.comparison} {self.limit:g}: {value!r}")


NonNegative = Annotated[float, Bound(">=", 0)]
Positive = Annotated[float, Bound(">", 0)]
Count = Annotated[int, Bound(">=", 1)]
Probability = Annotated[float, Bound(">=", 0), Bound("<=", 1)]


def validate_value(value: object, annotation: Any, what: str) -> None:
    """Raise ValueError unless a value has the annotated type and passes its checks."""
    if not _has_type(value, annotation):
        raise ValueError(f"{what} must be {_describe(annotation)}, not {value!r}")
    for part in _union_members(annotation):
        if get_origin(part) is Annotated and _has_type(value, part):
            for check in part.__metadata__:
                try:
                    check(value)
                except ValueError as error:
                    raise ValueError(f"{what} {error}") from error


def _union_members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)


def _has_type(value: object, annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _has_type(value, annotation.__origin__)
    if origin in {Union, UnionType}:
        return any(_has_type(value, part) for part in get_args(annotation))
    if origin is Literal:
        return value in get_args(annotation)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(
            isinstance(text, str) for pair in cast("Mapping[object, object]", value).items() for text in pair
        )
    if annotation in {int, float}:
        # In Python True is an int and 5 is not a float; callers mean neither.
        return isinstance(value, (int, annotation)) and not isinstance(value, bool) and isfinite(value)
    return annotation is Any or isinstance(value, annotation)


def _describe(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _describe(annotation.__origin__)
    if origin in {Union, UnionType}:
        return " or ".join(map(_describe, get_args(annotation)))
    if origin is Literal:
        return " or ".join(map(repr, get_args(annotation)))
    if origin is Mapping:
        return "an object of texts"
    return _TYPE_NAMES.get(annotation) or str(annotation.__name__)


@attrs.frozen
class FaultDefinition:
    """One kind of fault: its name, when it acts, and the function or class that implements it."""

    name: str
    phase: str
    implementation: Callable[..., Any] = attrs.field(repr=False)
    applies_to: Callable[[Any], bool] | None = attrs.field(default=None, repr=False)

    @property
    def description(self) -> str:
        """What the client sees, in the first paragraph; details, and when a real server does this, in the second."""
        return inspect.getdoc(self.implementation) or ""

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The parameters by name, with their types and defaults."""
        return keyword_parameters(self.implementation)

    def validate(self, values: Mapping[str, object]) -> None:
        """Raise ValueError unless these are values of the parameters, with none missing."""
        known = self.parameters
        accepts = f"{self.name} takes {', '.join(known) or 'no parameters'}"
        unknown = sorted(values.keys() - known.keys())
        if unknown:
            raise ValueError(f"{accepts}: not {', '.join(unknown)}")
        missing = [name for name, each in known.items() if each.default is each.empty and name not in values]
        if missing:
            raise ValueError(f"{accepts}: {', '.join(missing)} is missing")
        for name, value in values.items():
            validate_value(value, known[name].annotation, f"{self.name}: {name}")


def keyword_parameters(function: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    """Return the keyword-only parameters of a function or class."""
    parameters = inspect.signature(function).parameters
    return {name: each for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY}


def fault(
    phase: str, *, name: str | None = None, applies_to: Callable[[Any], bool] | None = None
) -> Callable[[Callable[..., Any]], FaultDefinition]:
    """Define a fault.

    Args:
        phase: When it acts; the module that applies the faults lists the phases.
        name: The fault's name, if it is not that of the function.
        applies_to: Restricts the fault: a request for which this returns False neither meets it nor counts.
    """

    def define(implementation: Callable[..., Any]) -> FaultDefinition:
        return FaultDefinition(name or implementation.__name__, phase, implementation, applies_to)

    return define


def collect(*modules: ModuleType) -> Mapping[str, FaultDefinition]:
    """Return the faults that the modules define, by name."""
    values = [value for module in modules for value in vars(module).values()]
    return MappingProxyType({value.name: value for value in values if isinstance(value, FaultDefinition)})


@attrs.frozen(kw_only=True)
class Scope(ABC):
    """Which of the matching requests, connections or deliveries a fault acts on; None does not restrict.

    Attributes:
        nth: Not before the nth of them; and only on that one, unless ``times`` is given.
        times: The number to act on; afterwards the fault is removed.
        probability: The share to act on, drawn from the emulator's seed.
    """

    nth: Count | None = None
    times: Count | None = None
    probability: Annotated[float, Bound(">", 0), Bound("<=", 1)] | None = None

    @abstractmethod
    def matches(self, subject: Any) -> bool:
        """Return whether the fault may act on this request or delivery."""


class ActiveFault(Generic[F]):
    """A fault that was added: counts how often it acted, and is removed by ``remove`` or at the end of a ``with`` block."""

    def __init__(
        self,
        id: int,
        name: str,
        fault: F,
        scope: Scope,
        parameters: Mapping[str, Any],
        seed: str,
        remove: Callable[["ActiveFault[F]"], None],
    ) -> None:
        """Create an active fault; ``remove`` takes it out of its registry."""
        self.id = id
        self.name = name
        self.fault = fault
        self.scope = scope
        self.parameters = parameters
        self.active: bool = True
        self.hits: int = 0
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._remove = remove
        self._seen = 0

    def __repr__(self) -> str:
        return f"<{self.name} {self.id}: {self.hits} hits{'' if self.active else ', removed'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Deactivate the fault. Idempotent. Requests that it already blocks stay blocked."""
        self._remove(self)

    def hit(self) -> bool:
        """Count one matching request or delivery, and return whether the fault acts on it."""
        scope = self.scope
        self._seen += 1
        if self._seen < (scope.nth or 1):
            return False
        if scope.probability is not None and self._random.random() >= scope.probability:
            return False
        self.hits += 1
        if self.hits == (scope.times or (scope.nth and 1)):
            self.remove()
        return True

    def to_dict(self) -> dict[str, object]:
        """Return the fault as the emulator's HTTP interface shows it."""
        scope = {field.name: getattr(self.scope, field.name) for field in attrs.fields(type(self.scope))}
        restrictions = {name: value for name, value in scope.items() if value is not None}
        state = {"id": self.id, "name": self.name, "active": self.active, "hits": self.hits}
        return {**state, **restrictions, **self.parameters}


class FaultRegistry(ABC, Generic[F]):
    """The active faults, in the order in which they were added. May be changed from any thread."""

    catalog: ClassVar[Mapping[str, FaultDefinition]]
    kind: ClassVar[str] = "fault"  # for messages
    scope_type: ClassVar[type[Scope]]

    def __init__(self, seed: int) -> None:
        """Create an empty registry; all random decisions derive from ``seed``."""
        self.on_change: Callable[[], None] | None = None  # called after each change, in the thread that made it
        self._seed = seed
        self._lock = threading.Lock()
        self._ids = count(1)
        self._ended: deque[ActiveFault[F]] = deque(maxlen=MAX_ENDED)
        self._ended_hits = 0
        # Replaced, never mutated: iteration sees the faults that were active when it started.
        self._active: tuple[ActiveFault[F], ...] = ()

    def __len__(self) -> int:
        return len(self.active)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all faults that can be added."""
        return tuple(sorted(self.catalog))

    @property
    def active(self) -> tuple[ActiveFault[F], ...]:
        """The active faults, oldest first."""
        return self._active

    @property
    def ended(self) -> tuple[ActiveFault[F], ...]:
        """The last faults that were removed, in the order of their removal."""
        with self._lock:
            return tuple(self._ended)

    @property
    def known(self) -> list[ActiveFault[F]]:
        """The active faults and the last removed ones, by id."""
        return sorted((*self.ended, *self.active), key=lambda each: each.id)

    @property
    def hits(self) -> int:
        """How often faults acted since the last ``clear``."""
        return self._ended_hits + sum(each.hits for each in self.active)

    def clear(self) -> None:
        """Remove all faults and forget their hits."""
        for each in self._active:
            each.remove()
        with self._lock:
            self._ended.clear()
            self._ended_hits = 0

    @abstractmethod
    def _create(self, definition: FaultDefinition, parameters: Mapping[str, Any]) -> F:
        """Return the fault with these (valid) parameters."""

    def restrictions(self, definition: FaultDefinition) -> tuple[str, ...]:
        """Return which fields of the scope can restrict a fault."""
        del definition
        return tuple(keyword_parameters(self.scope_type))

    def _begin(self, fault: F, seed: str) -> None:
        """Prepare a fault before it becomes active."""

    def _add(self, name: str, options: Mapping[str, Any]) -> ActiveFault[F]:
        """Add the fault of this name; the options are its parameters and its scope."""
        definition = self.catalog.get(name)
        if definition is None:
            raise ValueError(f"there is no {self.kind} {name!r}; there are {', '.join(self.names)}")
        scope_fields = keyword_parameters(self.scope_type)
        scope = {name: value for name, value in options.items() if name in scope_fields}
        parameters = {name: value for name, value in options.items() if name not in scope_fields}
        definition.validate(parameters)
        try:
            fault = self._create(definition, parameters)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        allowed = self.restrictions(definition)
        for field, value in scope.items():
            if field not in allowed:
                raise ValueError(f"{name} can be restricted by {', '.join(allowed) or 'nothing'}: not by {field}")
            validate_value(value, scope_fields[field].annotation, f"{name}: {field}")
        return self._activate(name, fault, self.scope_type(**scope), parameters)

    def _activate(self, name: str, fault: F, scope: Scope, parameters: Mapping[str, Any]) -> ActiveFault[F]:
        with self._lock:
            id = next(self._ids)
        # Each fault has its own seed: adding or removing one does not change what the others draw.
        self._begin(fault, f"{self._seed} {id} {self.kind}")
        active = ActiveFault(id, name, fault, scope, parameters, f"{self._seed} {id} {self.kind} scope", self._remove)
        with self._lock:
            self._active = (*self._active, active)
        self._notify()
        return active

    def _remove(self, fault: ActiveFault[F]) -> None:
        with self._lock:
            if not fault.active:
                return
            fault.active = False
            self._active = tuple(other for other in self._active if other is not fault)
            self._ended.append(fault)
            self._ended_hits += fault.hits
        self._notify()

    def _notify(self) -> None:
        if self.on_change is not None:
            self.on_change()
