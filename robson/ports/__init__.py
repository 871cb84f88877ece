"""The things the daemon needs from outside: a clock, a venue, a market feed, a journal and detectors."""

from robson.ports.clock import Clock
from robson.ports.detector import DetectedSignal, Detector, Observation, Parameter
from robson.ports.feed import Market, MarketFeed
from robson.ports.journal import Commit, Fill, Intent, Journal, PairRecord, Recovery
from robson.ports.seal import Seal
from robson.ports.slippage import Slippage, SlippageEstimate
from robson.ports.venue import Hand, OrderReport, OrderRequest, Reply, Venue

__all__ = [
    "Clock",
    "Commit",
    "DetectedSignal",
    "Detector",
    "Fill",
    "Hand",
    "Intent",
    "Journal",
    "Market",
    "MarketFeed",
    "Observation",
    "OrderReport",
    "OrderRequest",
    "PairRecord",
    "Parameter",
    "Recovery",
    "Reply",
    "Seal",
    "Slippage",
    "SlippageEstimate",
    "Venue",
]
