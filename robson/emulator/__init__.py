"""A venue on loopback that speaks Binance's REST, market streams and WebSocket API over the isolated-margin ledger.

It is written from the exchange's documents and shares no code with Robson's own client of that exchange: what both got
wrong in the same way, no test between them would find. Its witnesses are clients that others have written.
"""
