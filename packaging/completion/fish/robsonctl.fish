# Written by `make manuals` with shtab; a test keeps it in step with the code.

# Custom Preamble
function _robsonctl_positions
  robsonctl --timeout 1 --color never -o csv status 2>/dev/null | sed 1d | cut -d, -f1-4 | sed 's/,/\t/; s/,/ /g'
end
function _robson_paths
  __fish_complete_path (commandline -ct)
end
# End Custom Preamble

# Parse current commandline:
# - _shtab_robsonctl_cmdpath=(sub)command path seen so far
# - _shtab_robsonctl_npos=number of positional arguments given after it
# - options are skipped based on _shtab_robsonctl_opts_with_value & _shtab_robsonctl_commands lists
function _shtab_robsonctl_scan
  set -g _shtab_robsonctl_cmdpath ''
  set -g _shtab_robsonctl_npos 0
  set -l tokens (commandline -opc)
  set -e tokens[1]
  set -l expect_value 0
  for t in $tokens
    if test $expect_value -eq 1
      set expect_value 0
      continue
    end
    switch "$t"
      case '--*=*'
        continue
      case '-*'
        if contains -- $t $_shtab_robsonctl_opts_with_value
          set expect_value 1
        end
        continue
      case '*'
        if test $_shtab_robsonctl_npos -eq 0
          set -l candidate $t
          if test -n "$_shtab_robsonctl_cmdpath"
            set candidate "$_shtab_robsonctl_cmdpath $t"
          end
          if contains -- $candidate $_shtab_robsonctl_commands
            set -g _shtab_robsonctl_cmdpath $candidate
            continue
          end
        end
        set -g _shtab_robsonctl_npos (math $_shtab_robsonctl_npos + 1)
    end
  end
end

# Condition helper: true if the current (sub)command path equals the given one.
function _shtab_robsonctl_using
  _shtab_robsonctl_scan
  test "$_shtab_robsonctl_cmdpath" = "$argv"
end

set -g _shtab_robsonctl_commands status show why plan events watch arm signal disarm close adjust adopt release panic resume pause unpause health hello ping journal schema version help
set -g _shtab_robsonctl_opts_with_value --capital --color --entry --entry-price --from --id --key --output --param --position --quantity --risk --socket --stop --strategy --timeout --watch -n -o

complete -c robsonctl -e
complete -c robsonctl -f

complete -c robsonctl -n _shtab_robsonctl_using -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n _shtab_robsonctl_using -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n _shtab_robsonctl_using -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n _shtab_robsonctl_using -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n _shtab_robsonctl_using -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n _shtab_robsonctl_using -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n _shtab_robsonctl_using -l version -d 'show program'"'"'s version number and exit'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a status -d 'The daemon'"'"'s state, the feeds and the positions: the open ones, all of them, or one.'
complete -c robsonctl -n '_shtab_robsonctl_using status' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using status' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using status' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using status' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using status' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using status' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using status' -l all -d 'Closed positions too'
complete -c robsonctl -n '_shtab_robsonctl_using status' -l watch -x -d 'again every so many seconds (2) until Ctrl-C'
complete -c robsonctl -n '_shtab_robsonctl_using status; and test $_shtab_robsonctl_npos -eq 0' -ka "(_robsonctl_positions)" -d 'this position only; a unique beginning will do'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a show -d 'One position, whole: what `status` shows of it, its orders with their fills, and its events.'
complete -c robsonctl -n '_shtab_robsonctl_using show' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using show' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using show' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using show' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using show' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using show' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using show' -l watch -x -d 'again every so many seconds (2) until Ctrl-C'
complete -c robsonctl -n '_shtab_robsonctl_using show; and test $_shtab_robsonctl_npos -eq 0' -ka "(_robsonctl_positions)" -d 'a position'"'"'s id, or the unique beginning of one'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a why -d 'Why a position entered and left as it did: tick, stop, decision, order and fill, with latencies and slippage.'
complete -c robsonctl -n '_shtab_robsonctl_using why' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using why' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using why' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using why' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using why' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using why' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using why' -l watch -x -d 'again every so many seconds (2) until Ctrl-C'
complete -c robsonctl -n '_shtab_robsonctl_using why; and test $_shtab_robsonctl_npos -eq 0' -ka "(_robsonctl_positions)" -d 'a position'"'"'s id, or the unique beginning of one'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a plan -d 'What a signal would buy or sell, and what it would put at stake; nothing is done, no feed is needed.'
complete -c robsonctl -n '_shtab_robsonctl_using plan' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using plan' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using plan' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using plan' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using plan' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using plan' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using plan' -l entry -x -d 'quote per base'
complete -c robsonctl -n '_shtab_robsonctl_using plan' -l stop -x -d 'the technical stop, quote per base'
complete -c robsonctl -n '_shtab_robsonctl_using plan' -l capital -x -d 'quote; the daemon'"'"'s default if omitted'
complete -c robsonctl -n '_shtab_robsonctl_using plan' -l risk -x -d 'percent of capital, at most 5; the daemon'"'"'s default if omitted'
complete -c robsonctl -n '_shtab_robsonctl_using plan' -l watch -x -d 'again every so many seconds (2) until Ctrl-C'
complete -c robsonctl -n '_shtab_robsonctl_using plan; and test $_shtab_robsonctl_npos -eq 1' -ka "long short" -d 'which way it earns'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a events -d 'Events and notices as the journal keeps them, ascending, without gaps.'
complete -c robsonctl -n '_shtab_robsonctl_using events' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using events' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using events' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using events' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using events' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using events' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using events' -l position -xka "(_robsonctl_positions)" -d 'this position'"'"'s only'
complete -c robsonctl -n '_shtab_robsonctl_using events' -l from -x -d 'from this seq on'
complete -c robsonctl -n '_shtab_robsonctl_using events' -s n -x -d 'at most so many (the last 50 without --from)'
complete -c robsonctl -n '_shtab_robsonctl_using events' -l follow -d 'go on with new ones until Ctrl-C'
complete -c robsonctl -n '_shtab_robsonctl_using events' -l prices -d 'with --follow: the newest prices as well'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a watch -d 'repeat status until Ctrl-C'
complete -c robsonctl -n '_shtab_robsonctl_using watch' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using watch' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using watch' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using watch' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using watch' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using watch' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a arm -d 'Arm a position: from now on it waits for its strategy'"'"'s one signal.'
complete -c robsonctl -n '_shtab_robsonctl_using arm' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using arm' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using arm' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using arm' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using arm' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using arm' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using arm' -l strategy -x -d 'the detector (signal: waits for `robsonctl signal`)'
complete -c robsonctl -n '_shtab_robsonctl_using arm' -l capital -x -d 'quote; the daemon'"'"'s default if omitted'
complete -c robsonctl -n '_shtab_robsonctl_using arm' -l risk -x -d 'percent of capital, at most 5; the daemon'"'"'s default if omitted'
complete -c robsonctl -n '_shtab_robsonctl_using arm' -l param -x -d 'a parameter of the strategy'
complete -c robsonctl -n '_shtab_robsonctl_using arm' -l key -x -d 'idempotency key: the same command is done at most once'
complete -c robsonctl -n '_shtab_robsonctl_using arm; and test $_shtab_robsonctl_npos -eq 1' -ka "long short" -d 'long if omitted'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a signal -d 'Give an Armed position its entry signal.'
complete -c robsonctl -n '_shtab_robsonctl_using signal' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using signal' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using signal' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using signal' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using signal' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using signal' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using signal' -l entry -x -d 'quote per base'
complete -c robsonctl -n '_shtab_robsonctl_using signal' -l stop -x -d 'the technical stop, quote per base'
complete -c robsonctl -n '_shtab_robsonctl_using signal' -l id -x -d 'yours; an accepted one is executed only once'
complete -c robsonctl -n '_shtab_robsonctl_using signal' -l key -x -d 'idempotency key: the same command is done at most once'
complete -c robsonctl -n '_shtab_robsonctl_using signal; and test $_shtab_robsonctl_npos -eq 0' -ka "(_robsonctl_positions)" -d 'a position'"'"'s id, or the unique beginning of one'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a disarm -d 'Take back an Armed position.'
complete -c robsonctl -n '_shtab_robsonctl_using disarm' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using disarm' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using disarm' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using disarm' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using disarm' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using disarm' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using disarm' -l key -x -d 'idempotency key: the same command is done at most once'
complete -c robsonctl -n '_shtab_robsonctl_using disarm; and test $_shtab_robsonctl_npos -eq 0' -ka "(_robsonctl_positions)" -d 'a position'"'"'s id, or the unique beginning of one'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a close -d 'Take a position out of the market.'
complete -c robsonctl -n '_shtab_robsonctl_using close' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using close' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using close' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using close' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using close' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using close' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using close' -l key -x -d 'idempotency key: the same command is done at most once'
complete -c robsonctl -n '_shtab_robsonctl_using close; and test $_shtab_robsonctl_npos -eq 0' -ka "(_robsonctl_positions)" -d 'a position'"'"'s id, or the unique beginning of one'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a adjust -d 'Tighten the trailing stop of an Active position; it is never loosened.'
complete -c robsonctl -n '_shtab_robsonctl_using adjust' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using adjust' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using adjust' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using adjust' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using adjust' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using adjust' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using adjust' -l stop -x -d 'the new, tighter trailing stop'
complete -c robsonctl -n '_shtab_robsonctl_using adjust' -l key -x -d 'idempotency key: the same command is done at most once'
complete -c robsonctl -n '_shtab_robsonctl_using adjust; and test $_shtab_robsonctl_npos -eq 0' -ka "(_robsonctl_positions)" -d 'a position'"'"'s id, or the unique beginning of one'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a adopt -d 'Take over what the pair'"'"'s account holds already (long) or owes (short), behind a trailing stop; no order is sent.'
complete -c robsonctl -n '_shtab_robsonctl_using adopt' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using adopt' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using adopt' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using adopt' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using adopt' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using adopt' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using adopt' -l quantity -x -d 'base that the account holds (or owes) already'
complete -c robsonctl -n '_shtab_robsonctl_using adopt' -l stop -x -d 'the technical stop, quote per base'
complete -c robsonctl -n '_shtab_robsonctl_using adopt' -l entry-price -x -d 'what it cost, quote per base; the present price if omitted'
complete -c robsonctl -n '_shtab_robsonctl_using adopt' -l key -x -d 'idempotency key: the same command is done at most once'
complete -c robsonctl -n '_shtab_robsonctl_using adopt; and test $_shtab_robsonctl_npos -eq 1' -ka "long short" -d 'long if omitted'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a release -d 'Hand a position back: no order is sent, its stop is watched no more, and what it holds or owes is the trader'"'"'s.'
complete -c robsonctl -n '_shtab_robsonctl_using release' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using release' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using release' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using release' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using release' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using release' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using release' -l key -x -d 'idempotency key: the same command is done at most once'
complete -c robsonctl -n '_shtab_robsonctl_using release; and test $_shtab_robsonctl_npos -eq 0' -ka "(_robsonctl_positions)" -d 'a position'"'"'s id, or the unique beginning of one'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a panic -d 'Latch first, so that nothing enters any more; then disarm what is Armed and close what is in the market.'
complete -c robsonctl -n '_shtab_robsonctl_using panic' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using panic' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using panic' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using panic' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using panic' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using panic' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using panic' -l yes -d 'do not ask'
complete -c robsonctl -n '_shtab_robsonctl_using panic' -l key -x -d 'idempotency key: the same command is done at most once'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a resume -d 'Release the panic latch.'
complete -c robsonctl -n '_shtab_robsonctl_using resume' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using resume' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using resume' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using resume' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using resume' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using resume' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using resume' -l key -x -d 'idempotency key: the same command is done at most once'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a pause -d 'Let nothing enter any more: signals are refused. Positions stay, stops are watched, exits go on.'
complete -c robsonctl -n '_shtab_robsonctl_using pause' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using pause' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using pause' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using pause' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using pause' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using pause' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using pause' -l key -x -d 'idempotency key: the same command is done at most once'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a unpause -d 'Let signals enter again; the panic latch is another matter.'
complete -c robsonctl -n '_shtab_robsonctl_using unpause' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using unpause' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using unpause' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using unpause' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using unpause' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using unpause' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using unpause' -l key -x -d 'idempotency key: the same command is done at most once'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a health -d 'Whether the daemon lives and is ready, check by check.'
complete -c robsonctl -n '_shtab_robsonctl_using health' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using health' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using health' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using health' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using health' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using health' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using health' -l watch -x -d 'again every so many seconds (2) until Ctrl-C'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a hello -d 'Which daemon this is: protocol, version, mode and state.'
complete -c robsonctl -n '_shtab_robsonctl_using hello' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using hello' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using hello' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using hello' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using hello' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using hello' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using hello' -l watch -x -d 'again every so many seconds (2) until Ctrl-C'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a ping -d 'Whether the daemon answers at all.'
complete -c robsonctl -n '_shtab_robsonctl_using ping' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using ping' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using ping' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using ping' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using ping' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using ping' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using ping' -l watch -x -d 'again every so many seconds (2) until Ctrl-C'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a journal -d 'How much the journal holds, how large it is, and when it was last copied by `robson backup`.'
complete -c robsonctl -n '_shtab_robsonctl_using journal' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using journal' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using journal' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using journal' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using journal' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using journal' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using journal' -l watch -x -d 'again every so many seconds (2) until Ctrl-C'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a schema -d 'The JSON Schema (2020-12) of every request line, or of what the daemon sends.'
complete -c robsonctl -n '_shtab_robsonctl_using schema' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using schema' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using schema' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using schema' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using schema' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using schema' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using schema; and test $_shtab_robsonctl_npos -eq 0' -ka "requests replies events" -d 'requests if omitted'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a version -d 'the versions of robsonctl and of the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using version' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using version' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using version' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using version' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using version' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using version' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using; and test $_shtab_robsonctl_npos -eq 0' -a help -d 'how a command is used'
complete -c robsonctl -n '_shtab_robsonctl_using help' -s h -l help -d 'show this help message and exit'
complete -c robsonctl -n '_shtab_robsonctl_using help' -l socket -xka "(_robson_paths)" -d 'the daemon'"'"'s socket (or $ROBSON_SOCKET)'
complete -c robsonctl -n '_shtab_robsonctl_using help' -l json -d 'the result as the daemon sent it'
complete -c robsonctl -n '_shtab_robsonctl_using help' -s o -l output -xka "table json jsonl csv" -d 'the form of results (table)'
complete -c robsonctl -n '_shtab_robsonctl_using help' -l timeout -x -d 'how long to wait for the daemon'
complete -c robsonctl -n '_shtab_robsonctl_using help' -l color -xka "auto always never" -d 'auto heeds NO_COLOR and pipes'
complete -c robsonctl -n '_shtab_robsonctl_using help; and test $_shtab_robsonctl_npos -eq 0' -ka "adjust adopt arm close disarm events health hello help journal panic pause ping plan release resume schema show signal status unpause version watch why" -d COMMAND
