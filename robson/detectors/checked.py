"""What is asked of every signal before the daemon sees it, so that a foreign detector cannot hand over nonsense."""

import inspect
from decimal import Decimal
from typing import ClassVar

import msgspec

from robson.detectors.entry import StopRule
from robson.detectors.parameters import shorten
from robson.domain.codec import encode
from robson.domain.errors import RuleError
from robson.ports.detector import DetectedSignal, Detector, Observation, Parameter

EVIDENCE_BYTES_MAX = 16 * 1024


class Checked:
    """A detector whose signal is well formed and has a stop.

    Where the detector gave no technical stop, one is looked for by the common rule; `params` holds those of the shared
    stop parameters that the strategy declares.
    """

    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, params: dict[str, str], *, strategy: str, inner: Detector) -> None:
        # An instance's own, where the port knows only a class's: each wraps another strategy.
        self.parameters = inner.parameters  # type: ignore[misc]
        self._strategy = strategy
        self._inner = inner
        self._stop = StopRule(params)

    async def detect(self, market: Observation) -> DetectedSignal:
        """Wait for the inner detector's signal; raises RuleError `bad_signal` or `no_technical_stop`."""
        outcome: object = self._inner.detect(market)
        if inspect.isawaitable(outcome):
            outcome = await outcome
        if not isinstance(outcome, DetectedSignal):
            raise self._bad(f"was {_shown(outcome)}, not a DetectedSignal")
        if not _is_price(outcome.entry_price):
            raise self._bad(f"had the entry price {_shown(outcome.entry_price)}, which must be a positive Decimal")
        if outcome.technical_stop is not None and not _is_price(outcome.technical_stop):
            raise self._bad(
                f"had the technical stop {_shown(outcome.technical_stop)}, which must be a positive Decimal"
            )
        self._check_evidence(outcome)
        if outcome.technical_stop is None:
            outcome = await self._stop.complete(market, outcome)
        return outcome

    def _check_evidence(self, signal: DetectedSignal) -> None:
        if not isinstance(signal.evidence, dict):
            raise self._bad(f"had the evidence {_shown(signal.evidence)}, which must be a dict")
        try:
            size = len(encode(signal.evidence))
        except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise self._bad(f"had evidence that is not JSON: {_shown(error)}") from error
        if size > EVIDENCE_BYTES_MAX:
            raise self._bad(f"had evidence of {size} bytes, at most {EVIDENCE_BYTES_MAX} are allowed")

    def _bad(self, what: str) -> RuleError:
        return RuleError(
            "bad_signal",
            f"the signal of strategy {self._strategy} {what}",
            hint="this is a fault of the strategy's package: tell its author",
        )


def _is_price(price: object) -> bool:
    return isinstance(price, Decimal) and price.is_finite() and price > 0


def _shown(value: object) -> str:
    return shorten(str(value) if isinstance(value, Exception) else repr(value), most=80)
