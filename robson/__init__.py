"""Robson looks after one trader's positions on Binance isolated margin and keeps every promise across a crash."""

__version__ = "0.1.0"
