"""The strategies there are: the shipped ones and those of other packages (entry-point group `robson.detectors`)."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from importlib import metadata
from typing import cast

from robson.detectors import parameters
from robson.detectors.breakout import Breakout
from robson.detectors.checked import Checked
from robson.detectors.delay import Delay
from robson.detectors.entry import STOP_PARAMETERS, STOP_PERCENT
from robson.detectors.immediate import Immediate
from robson.detectors.signal import Signal
from robson.detectors.sma_cross import SmaCross
from robson.domain.errors import RuleError
from robson.domain.values import Value
from robson.ports.detector import Detector, Parameter

ENTRY_POINT_GROUP = "robson.detectors"
SHIPPED: Mapping[str, type[Detector]] = {
    "breakout": Breakout,
    "delay": Delay,
    "immediate": Immediate,
    "signal": Signal,
    "sma_cross": SmaCross,
}
ALIASES: Mapping[str, str] = {"test": "delay"}
NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)


class Strategy(Value):
    """A strategy as people see it: `origin` is `shipped`, or the distribution that brought it with its version."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    aliases: tuple[str, ...] = ()
    origin: str = "shipped"


class LeftOut(Value):
    """An entry point that could not be used; `name` is empty where not even the names could be read."""

    name: str
    origin: str
    reason: str


class Registry:
    """Every strategy by name; shipped ones win over others, and of two others the first one found."""

    def __init__(self) -> None:
        self._classes: dict[str, type[Detector]] = dict(SHIPPED)
        self._origins: dict[str, str] = dict.fromkeys(SHIPPED, "shipped")
        self._left_out: list[LeftOut] = []

    @classmethod
    def load(cls, distributions: Callable[[], Iterable[metadata.Distribution]] = metadata.distributions) -> "Registry":
        """The shipped strategies and those of the installed packages; a broken one is left out and reported.

        Imports the packages that have an entry point in the group: call it once, at start.
        """
        registry = cls()
        seen: set[tuple[str, str]] = set()
        for distribution in _each(distributions, registry._left_out):
            origin = _origin(distribution)
            try:
                points = [point for point in distribution.entry_points if point.group == ENTRY_POINT_GROUP]
            except Exception as error:  # noqa: BLE001 - another package's files can hold anything
                registry._leave_out("", origin, f"its entry points could not be read: {_fault(error)}")
                continue
            for point in points:
                # The same package may be found twice on the path.
                if (point.name, point.value) not in seen:
                    seen.add((point.name, point.value))
                    registry._add(point, origin)
        return registry

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The entry points that could not be used, with reasons; for the log and the status of a person."""
        return tuple(self._left_out)

    def names(self) -> tuple[str, ...]:
        """The strategies' names in alphabetical order, without aliases."""
        return tuple(sorted(self._classes))

    def describe(self) -> tuple[Strategy, ...]:
        """Every strategy with its parameters, for help and completion."""
        return tuple(
            Strategy(
                name=name,
                summary=inspect.cleandoc(self._classes[name].__doc__ or "").partition("\n")[0],
                parameters=self._classes[name].parameters,
                aliases=tuple(alias for alias, meant in ALIASES.items() if meant == name),
                origin=self._origins[name],
            )
            for name in self.names()
        )

    def validate(self, strategy: str, params: Mapping[str, str]) -> dict[str, str]:
        """The parameters with their defaults filled in, each in plain form.

        Raises RuleError: `unknown_strategy`, `unknown_parameter`, `bad_parameter`, each with what is allowed, or
        `broken_strategy` when a foreign strategy fails to take them.
        """
        filled, _ = self._build(strategy, params)
        return filled

    def create(self, strategy: str, params: Mapping[str, str]) -> Detector:
        """A fresh detector; raises as `validate` does: the package may have changed since the position was armed."""
        filled, detector = self._build(strategy, params)
        declared = self._classes[ALIASES.get(strategy, strategy)].parameters
        # A foreign parameter that only bears the name of a shared one has nothing to say about the stop.
        shared = {common.name: filled[common.name] for common in (*STOP_PARAMETERS, STOP_PERCENT) if common in declared}
        return Checked(shared, strategy=strategy, inner=detector)

    def _build(self, strategy: str, params: Mapping[str, str]) -> tuple[dict[str, str], Detector]:
        name = ALIASES.get(strategy, strategy)
        kind = self._classes.get(name)
        if kind is None:
            raise self._unknown(strategy)
        filled = parameters.complete(strategy, kind.parameters, params)
        try:
            return filled, kind(dict(filled))
        except RuleError:
            raise
        except ValueError as error:
            message = f"strategy {strategy} does not take these parameters: {_fault(error)}"
            raise RuleError("bad_parameter", message) from error
        except Exception as error:
            raise RuleError(
                "broken_strategy",
                f"strategy {strategy} of {self._origins[name]} failed to start: {_fault(error)}",
                hint="this is a fault of the strategy's package: tell its author",
            ) from error

    def _unknown(self, strategy: str) -> RuleError:
        known = [*self.names(), *ALIASES]
        message = f"strategy was {parameters.shorten(strategy)!r}, which is not known"
        for left in self._left_out:
            if left.name == strategy:
                message += f"; the one of {left.origin} was left out at start: {left.reason}"
        close = get_close_matches(strategy[:40].lower(), known, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        return RuleError("unknown_strategy", message, hint=f"{meant}strategies: {', '.join(known)}")

    def _add(self, point: metadata.EntryPoint, origin: str) -> None:
        taken = self._origins.get(ALIASES.get(point.name, point.name))
        if not NAME.fullmatch(point.name):
            self._leave_out(point.name, origin, f"its name does not match {NAME.pattern}")
        elif taken is not None:
            self._leave_out(point.name, origin, f"its name is taken ({taken})")
        else:
            try:
                kind = point.load()
                fault = _class_fault(kind)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - nor may a module that calls sys.exit stop us
                fault = f"{point.value} could not be imported: {_fault(error)}"
            if fault:
                self._leave_out(point.name, origin, fault)
            else:
                self._classes[point.name] = cast("type[Detector]", kind)
                self._origins[point.name] = origin

    def _leave_out(self, name: str, origin: str, reason: str) -> None:
        self._left_out.append(LeftOut(name=name, origin=origin, reason=reason))


def _each(
    distributions: Callable[[], Iterable[metadata.Distribution]], left_out: list[LeftOut]
) -> Iterable[metadata.Distribution]:
    try:
        yield from distributions()
    except Exception as error:  # noqa: BLE001 - a broken path is no reason not to start
        left_out.append(LeftOut(name="", origin="the Python path", reason=f"it could not be read: {_fault(error)}"))


def _origin(distribution: metadata.Distribution) -> str:
    """The distribution's name and version; where its metadata is damaged, some Pythons raise and some give None."""
    with suppress(Exception):
        if distribution.name:
            return f"{distribution.name} {distribution.version}"
    return "a distribution without a name"


def _class_fault(kind: object) -> str:
    """What keeps an object from being a detector class, empty if nothing."""
    if not inspect.isclass(kind):
        return "it is not a class"
    if not inspect.iscoroutinefunction(getattr(kind, "detect", None)):
        return "it has no `async def detect`"
    return parameters.faults(getattr(kind, "parameters", None))


def _fault(error: BaseException) -> str:
    return parameters.shorten(f"{type(error).__name__}: {error}", most=300)
