"""What the manual pages say besides the tables."""

from robsonctl.exits import Exit

ROBSONCTL = (
    (
        "`robsonctl` sends commands to the daemon, **robson**(8), over its Unix socket and prints the results. A "
        "position's id may be cut down to any beginning that is unique."
    ),
    (
        "Without a command it carries the JSON lines of standard input to the daemon and the replies back, both "
        "untouched; "
        "see **robson-protocol**(7)."
    ),
    (
        "The socket is that of `--socket`, of `ROBSON_SOCKET`, or the first that exists of: the state directory in "
        "`ROBSON_STATE_DIR`, `state/` of a source checkout around the current directory, `robson/` in the XDG "
        "state home, "
        "and `/run/robson/robson.sock`."
    ),
)

OUTPUT = (
    (
        "Results go to standard output, everything else to standard error. `-o json` (or `--json`) is the daemon's own "
        "result, untouched; `-o jsonl` and `-o csv` give a row for each position, event or step. There times "
        "are RFC 3339 "
        "in UTC; tables show local time with its offset, ages, and prices and quantities with the places of their pair."
    ),
    (
        "On a terminal a table is fitted to its width: ids are cut, long words are wrapped, and columns go, "
        "which a last "
        "line names. Into a file or a pipe everything is written. Control characters in what the daemon sends are not "
        "shown. `--watch` repaints a terminal, and elsewhere writes round after round; a daemon that goes away "
        "is waited "
        "for."
    ),
)

EXITS = {
    Exit.OK: "It was done.",
    Exit.REFUSED: "The daemon refused, or is not ready (`health`); for JSON lines: not all of them got an ok.",
    Exit.USAGE: "The command line cannot be understood.",
    Exit.NOT_FOUND: "There is no such position.",
    Exit.NOT_CONFIRMED: "It was not confirmed; nothing was done.",
    Exit.PARTLY_DONE: "It is not done to its end yet; the daemon goes on with it.",
    Exit.NO_TERMINAL: "It wants to be confirmed, and there is no terminal to ask on.",
    Exit.UNREACHABLE: "No daemon answers; nothing was done.",
    Exit.OUTPUT_LOST: "Standard output could not be written (not: its reader has gone); what was asked may be done.",
    Exit.OUTCOME_UNKNOWN: "It was sent and not answered. The same command with the same `--key` is done at most once.",
    Exit.INTERRUPTED: "Ctrl-C.",
}

ENVIRONMENT = {
    "ROBSON_SOCKET": "The daemon's socket.",
    "ROBSON_STATE_DIR": "The state directory of the daemon, where its socket may be.",
    "XDG_STATE_HOME": "Where state directories are kept; `~/.local/state` if unset.",
    "NO_COLOR": "Anything: no colours, unless `--color always`.",
    "TERM": "`dumb`: no colours either.",
    "COLUMNS": "The width of the terminal, if it is not to be asked.",
    "TZ": "The time zone of tables.",
}

ROBSON = (
    (
        "Robson looks after one trader's positions on Binance isolated margin. A position is armed with "
        "**robsonctl**(1); "
        "it waits for its strategy's signal, is sized from the technical stop, entered at market, trailed, and left at "
        "market when the stop is hit. No stop order rests on the exchange: the daemon itself is the stop."
    ),
    "It trades on paper unless `mode` is `live`.",
)

DAEMON_EXITS = {
    "0": "It was done; `robson run` was told to stop.",
    "1": "Something was found wrong (`doctor`, `selftest`), or some of it could not be answered (`replay`).",
    "2": "The command line cannot be understood.",
    "4": "`panic` was not confirmed; nothing was done.",
    "5": "`panic` is partly done; the next daemon goes on with it.",
    "64": "`panic` wants to be confirmed, and there is no terminal to ask on.",
    "74": "The storage cannot be used.",
    "78": "The configuration cannot be obeyed.",
    "130": "Ctrl-C.",
}

SIGNALS = (
    (
        "`SIGTERM` and `SIGINT` close the doors, finish the order in flight or leave it in doubt, write "
        "everything down "
        "and leave. Open positions stay open: the journal brings them back at the next start."
    ),
)

DAEMON_ENVIRONMENT = {
    "ROBSON_CONFIG": "The configuration file, for want of `--config`.",
    "ROBSON_STATE_DIR": "The state directory, for want of `--state-dir`; then `STATE_DIRECTORY`.",
    "ROBSON_SOCKET": "The control socket, for want of `--socket`.",
    "ROBSON_<SECTION>_<KEY>": "Any key of **robson.toml**(5); flags win over it, and it wins over the file.",
    "CREDENTIALS_DIRECTORY": "Where the exchange's keys are, for want of `--credentials-dir`.",
    "RUNTIME_DIRECTORY": "Where the socket is, under systemd.",
}

CONFIGURATION = (
    (
        "A TOML file, named with `--config` or in `ROBSON_CONFIG`; without one the defaults hold. An unknown key is "
        "refused (exit 78). Every key is also an environment variable, which wins over the file; flags of `robson run` "
        "win over "
        "both. Keys of the exchange never stand here: they are files in `--credentials-dir`."
    ),
)

CONFIGURATION_EXAMPLE = (
    'mode = "paper"',
    "",
    "[account]",
    'capital = "10000"',
    'risk_percent = "1"',
    "",
    "[feed]",
    'source = "binance"',
)

KEYS = {
    "mode": "`live` trades real money.",
    "account.capital": "Quote; what `arm` takes when it is not told.",
    "account.risk_percent": "Percent of the capital, at most 5; what `arm` takes when it is not told.",
    "feed.source": "Where prices come from; binance if not set, synthetic for the emulator.",
    "feed.price_source": "`trade`: the last trade; `book` leaves longs on the bid and shorts on the ask.",
    "feed.stale_after_seconds": "A feed without a price for so long is stale.",
    "feed.poll_seconds": "How often prices are asked for while the stream is stale.",
    "feed.off_market_percent": "A print further than this from the market is held back first; 0 never.",
    "feed.off_market_ticks": "After so many prints it is believed.",
    "feed.off_market_seconds": "And after so many seconds.",
    "feed.file": "What replay plays.",
    "feed.symbol": "The pair of a recording whose name does not tell it.",
    "feed.speed": "Market seconds a second, or `max`.",
    "feed.seed": "Which synthetic market.",
    "recovery.on_gap": "What becomes of a stop that was crossed while nobody saw it, when the price has recovered.",
    "binance.rest_url": "Orders, accounts and filters.",
    "binance.stream_url": "Prices.",
    "binance.ws_api_url": "What happens to orders.",
    "control.socket": "The control socket; empty: in `RUNTIME_DIRECTORY`, or in the state directory.",
    "control.read_only_socket": "A second socket for monitoring; empty: none.",
    "control.arm_users": "Who may let in and change: names or uids, commas between; empty: all who reach the socket.",
    "control.panic_users": "Who may take out and hold back; empty: all who reach the socket.",
    "control.idle_seconds": "A client without a request for so long is told and closed; 0: never.",
    "control.requests_per_second": "Of one client, after a burst; more are refused.",
    "http.listen": "ADDRESS:PORT on this machine for health, metrics and the dashboard; empty: none.",
    "http.expose": "Take an address that other machines can reach as well: a container's.",
    "http.dashboard": "`false`: health and metrics only.",
    "notify.ntfy_url": "A ntfy server.",
    "notify.ntfy_topic": "The topic there; empty: no such channel. Token: file `notify-ntfy-token`.",
    "notify.telegram_chat_id": "Whom the bot writes to; empty: no such channel. Token: file `notify-telegram-token`.",
    "notify.telegram_url": "Telegram's server, or a proxy of it.",
    "notify.webhook_url": "A program's address, or file `notify-webhook-url`; signed with file `notify-webhook-key`.",
    "notify.smtp_host": "A mail server; empty: no such channel.",
    "notify.smtp_port": "Its port.",
    "notify.smtp_security": "How the connection is protected.",
    "notify.smtp_user": "Its user; password: file `notify-smtp-password`.",
    "notify.smtp_from": "The sender's address.",
    "notify.smtp_to": "The receiver's address.",
    "notify.ping_url": "Asked while the daemon is ready, or file `notify-ping-url`; empty: nothing is.",
    "notify.ping_seconds": "How often.",
    "notify.digest_seconds": "How often silent events are summed up; 0: each is sent, without a sound.",
    "notify.max_age_seconds": "What is older is summed up instead of being sent singly.",
    "notify.timeout_seconds": "How long one attempt may take.",
    "notify.events": "A table: `on`, `silent` or `off` by event, notice, or `position_closed:REASON`.",
    "journal.keep_events": "The newest so many stay in the journal, older ones go to the archive; 0: all stay.",
    "log.level": "How much is logged.",
}
