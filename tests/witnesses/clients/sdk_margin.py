"""The official binance-sdk-margin-trading: its models are strict, so what it cannot parse fails here.

Pointed at the emulator by `ConfigurationRestAPI(base_path=…)`. A response that does not fit its model is logged as
"Failed to parse" and handed out as a plain dict: both count as a failure.
"""

import logging
import os
from decimal import ROUND_UP, Decimal
from pathlib import Path

from binance_common.configuration import ConfigurationRestAPI
from binance_sdk_margin_trading.margin_trading import MarginTrading
from binance_sdk_margin_trading.rest_api import models

PAIR = "ETHUSDT"
complaints: list[str] = []


class Complaints(logging.Handler):
    """Keeps what the client could not parse."""

    def emit(self, record: logging.LogRecord) -> None:
        if "parse" in record.getMessage().lower():
            complaints.append(record.getMessage())


def parsed(answer, kind):
    """The answer as the client's own model, or a failure."""
    found = answer.data()
    rows = found if isinstance(found, list) else [found]
    assert rows, f"{kind.__name__}: no row to parse"
    assert all(isinstance(row, kind) for row in rows), f"{kind.__name__}: got {found!r}"
    return found


def main() -> None:
    logging.getLogger().addHandler(Complaints())
    keys = Path(os.environ["WITNESS_KEYS"])
    configuration = ConfigurationRestAPI(
        api_key=(keys / "binance-api-key").read_text().strip(),
        api_secret=(keys / "binance-api-secret").read_text().strip(),
        base_path=os.environ["WITNESS_REST"],
        timeout=15_000,
        retries=0,
    )
    api = MarginTrading(config_rest_api=configuration).rest_api

    # A loan of a whole number: the client's schema has an integer there, which holds no other.
    entry = parsed(
        api.margin_account_new_order(
            symbol=PAIR,
            side="SELL",
            type="MARKET",
            is_isolated="TRUE",
            quantity=1,
            side_effect_type="MARGIN_BUY",
            new_client_order_id="sdk-entry",
        ),
        models.MarginAccountNewOrderResponse,
    )
    assert entry.status == "FILLED", entry
    assert entry.is_isolated is True
    assert (entry.margin_buy_borrow_amount, entry.margin_buy_borrow_asset) == (1, "ETH"), entry
    assert sum(Decimal(fill.qty) for fill in entry.fills) == 1

    queried = parsed(
        api.query_margin_accounts_order(symbol=PAIR, is_isolated="TRUE", orig_client_order_id="sdk-entry"),
        models.QueryMarginAccountsOrderResponse,
    )
    assert queried.order_id == entry.order_id
    trades = parsed(
        api.query_margin_accounts_trade_list(symbol=PAIR, is_isolated="TRUE", order_id=entry.order_id),
        models.QueryMarginAccountsTradeListResponseInner,
    )
    assert sum(Decimal(trade.qty) for trade in trades) == 1

    account = parsed(api.query_isolated_margin_account_info(), models.QueryIsolatedMarginAccountInfoResponse)
    base = next(pair.base_asset for pair in account.assets if pair.symbol == PAIR)
    debt = Decimal(base.borrowed) + Decimal(base.interest)
    assert Decimal(base.borrowed) == 1
    assert Decimal(base.interest) > 0, "the first hour is charged at once"

    quantity = (debt / (1 - Decimal("0.001"))).quantize(Decimal("0.0001"), ROUND_UP)
    exit_order = parsed(
        api.margin_account_new_order(
            symbol=PAIR,
            side="BUY",
            type="MARKET",
            is_isolated="TRUE",
            quantity=float(quantity),
            side_effect_type="AUTO_REPAY",
        ),
        models.MarginAccountNewOrderResponse,
    )
    assert exit_order.status == "FILLED", exit_order
    account = parsed(
        api.query_isolated_margin_account_info(symbols=PAIR), models.QueryIsolatedMarginAccountInfoResponse
    )
    base = account.assets[0].base_asset
    assert Decimal(base.borrowed) == Decimal(base.interest) == 0, base

    borrow = parsed(
        api.margin_account_borrow_repay("USDT", "TRUE", "10", "BORROW", symbol=PAIR),
        models.MarginAccountBorrowRepayResponse,
    )
    assert borrow.tran_id is not None
    parsed(
        api.margin_account_borrow_repay("USDT", "TRUE", "10", "REPAY", symbol=PAIR),
        models.MarginAccountBorrowRepayResponse,
    )
    records = parsed(
        api.query_borrow_repay_records_in_margin_account(type="BORROW", isolated_symbol=PAIR),
        models.QueryBorrowRepayRecordsInMarginAccountResponse,
    )
    assert records.total >= 2, records

    parsed(api.get_interest_history(isolated_symbol=PAIR), models.GetInterestHistoryResponse)
    parsed(api.get_force_liquidation_record(isolated_symbol=PAIR), models.GetForceLiquidationRecordResponse)
    parsed(api.query_isolated_margin_tier_data(PAIR), models.QueryIsolatedMarginTierDataResponseInner)
    parsed(api.query_isolated_margin_fee_data(symbol=PAIR), models.QueryIsolatedMarginFeeDataResponseInner)
    parsed(api.query_max_borrow("ETH", isolated_symbol=PAIR), models.QueryMaxBorrowResponse)
    parsed(api.query_max_transfer_out_amount("USDT", isolated_symbol=PAIR), models.QueryMaxTransferOutAmountResponse)
    parsed(api.query_margin_priceindex(PAIR), models.QueryMarginPriceindexResponse)
    parsed(api.get_all_isolated_margin_symbol(), models.GetAllIsolatedMarginSymbolResponseInner)
    parsed(api.get_all_margin_assets(), models.GetAllMarginAssetsResponseInner)
    parsed(api.query_enabled_isolated_margin_account_limit(), models.QueryEnabledIsolatedMarginAccountLimitResponse)
    parsed(
        api.query_margin_accounts_all_orders(PAIR, is_isolated="TRUE"), models.QueryMarginAccountsAllOrdersResponseInner
    )
    parsed(api.get_bnb_burn_status(), models.GetBnbBurnStatusResponse)

    resting = parsed(
        api.margin_account_new_order(
            symbol=PAIR, side="BUY", type="LIMIT", is_isolated="TRUE", quantity=1, price=100, time_in_force="GTC"
        ),
        models.MarginAccountNewOrderResponse,
    )
    assert resting.status == "NEW", resting
    parsed(
        api.query_margin_accounts_open_orders(symbol=PAIR, is_isolated="TRUE"),
        models.QueryMarginAccountsOpenOrdersResponseInner,
    )
    parsed(
        api.margin_account_cancel_order(PAIR, is_isolated="TRUE", order_id=resting.order_id),
        models.MarginAccountCancelOrderResponse,
    )
    assert not complaints, complaints


if __name__ == "__main__":
    main()
