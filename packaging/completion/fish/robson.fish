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
# - _shtab_robson_cmdpath=(sub)command path seen so far
# - _shtab_robson_npos=number of positional arguments given after it
# - options are skipped based on _shtab_robson_opts_with_value & _shtab_robson_commands lists
function _shtab_robson_scan
  set -g _shtab_robson_cmdpath ''
  set -g _shtab_robson_npos 0
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
        if contains -- $t $_shtab_robson_opts_with_value
          set expect_value 1
        end
        continue
      case '*'
        if test $_shtab_robson_npos -eq 0
          set -l candidate $t
          if test -n "$_shtab_robson_cmdpath"
            set candidate "$_shtab_robson_cmdpath $t"
          end
          if contains -- $candidate $_shtab_robson_commands
            set -g _shtab_robson_cmdpath $candidate
            continue
          end
        end
        set -g _shtab_robson_npos (math $_shtab_robson_npos + 1)
    end
  end
end

# Condition helper: true if the current (sub)command path equals the given one.
function _shtab_robson_using
  _shtab_robson_scan
  test "$_shtab_robson_cmdpath" = "$argv"
end

set -g _shtab_robson_commands run panic demo replay emulator doctor selftest bench backup restore report
set -g _shtab_robson_opts_with_value --cases --charts --compare --config --credentials-dir --entry-row --feed --file --json --kills --listen --lives --log-level --mode --output --replay --rounds --seed --side --since --socket --speed --state-dir --stop-distance --symbol --timeout --venue-kills -o

complete -c robson -e
complete -c robson -f

complete -c robson -n _shtab_robson_using -s h -l help -d 'show this help message and exit'
complete -c robson -n _shtab_robson_using -l version -d 'show program'"'"'s version number and exit'
complete -c robson -n '_shtab_robson_using; and test $_shtab_robson_npos -eq 0' -a run -d 'look after positions until told to stop'
complete -c robson -n '_shtab_robson_using run' -s h -l help -d 'show this help message and exit'
complete -c robson -n '_shtab_robson_using run' -l config -xka "(_robson_paths)" -d robson.toml
complete -c robson -n '_shtab_robson_using run' -l state-dir -xka "(_robson_paths)" -d 'where the journal and the paper account live'
complete -c robson -n '_shtab_robson_using run' -l socket -xka "(_robson_paths)" -d 'the control socket'
complete -c robson -n '_shtab_robson_using run' -l credentials-dir -xka "(_robson_paths)" -d 'where the exchange'"'"'s keys are, one file each'
complete -c robson -n '_shtab_robson_using run' -l mode -x -d 'paper (default) or live'
complete -c robson -n '_shtab_robson_using run' -l feed -x -d 'binance (default: public prices, no key), synthetic or replay'
complete -c robson -n '_shtab_robson_using run' -l file -xka "(_robson_paths)" -d 'what replay plays'
complete -c robson -n '_shtab_robson_using run' -l symbol -x -d 'the pair of a replay file whose name does not tell it'
complete -c robson -n '_shtab_robson_using run' -l speed -x -d 'tape seconds per second, or "max"'
complete -c robson -n '_shtab_robson_using run' -l seed -x -d 'which synthetic market, and which paper luck'
complete -c robson -n '_shtab_robson_using run' -l log-level -x -d 'debug, info, warning or error'
complete -c robson -n '_shtab_robson_using; and test $_shtab_robson_npos -eq 0' -a panic -d 'with the daemon dead: latch, and close everything in its place'
complete -c robson -n '_shtab_robson_using panic' -s h -l help -d 'show this help message and exit'
complete -c robson -n '_shtab_robson_using panic' -l config -xka "(_robson_paths)" -d robson.toml
complete -c robson -n '_shtab_robson_using panic' -l state-dir -xka "(_robson_paths)" -d 'where the journal and the paper account live'
complete -c robson -n '_shtab_robson_using panic' -l socket -xka "(_robson_paths)" -d 'the control socket'
complete -c robson -n '_shtab_robson_using panic' -l credentials-dir -xka "(_robson_paths)" -d 'where the exchange'"'"'s keys are, one file each'
complete -c robson -n '_shtab_robson_using panic' -l mode -x -d 'paper (default) or live'
complete -c robson -n '_shtab_robson_using panic' -l feed -x -d 'binance (default: public prices, no key), synthetic or replay'
complete -c robson -n '_shtab_robson_using panic' -l file -xka "(_robson_paths)" -d 'what replay plays'
complete -c robson -n '_shtab_robson_using panic' -l symbol -x -d 'the pair of a replay file whose name does not tell it'
complete -c robson -n '_shtab_robson_using panic' -l speed -x -d 'tape seconds per second, or "max"'
complete -c robson -n '_shtab_robson_using panic' -l seed -x -d 'which synthetic market, and which paper luck'
complete -c robson -n '_shtab_robson_using panic' -l log-level -x -d 'debug, info, warning or error'
complete -c robson -n '_shtab_robson_using panic' -l yes -d 'do not ask'
complete -c robson -n '_shtab_robson_using panic' -l timeout -x -d 'after which what is pending is left to the next daemon (120)'
complete -c robson -n '_shtab_robson_using panic' -s o -l output -xka "table json" -d 'the form of the result'
complete -c robson -n '_shtab_robson_using; and test $_shtab_robson_npos -eq 0' -a demo -d 'watch a long and a short live from armed to closed, without keys or network'
complete -c robson -n '_shtab_robson_using demo' -s h -l help -d 'show this help message and exit'
complete -c robson -n '_shtab_robson_using demo' -l replay -xka "(_robson_paths)" -d 'recorded trades instead of the synthetic market'
complete -c robson -n '_shtab_robson_using demo' -l symbol -x -d 'the pair of a recording whose name does not tell it'
complete -c robson -n '_shtab_robson_using demo' -l speed -x -d 'market seconds per second (300; a recording: what fits)'
complete -c robson -n '_shtab_robson_using demo' -l seed -x -d 'which synthetic market (demo-158)'
complete -c robson -n '_shtab_robson_using demo' -l keep -d 'leave the journal where it is, to look at'
complete -c robson -n '_shtab_robson_using; and test $_shtab_robson_npos -eq 0' -a replay -d 'what-if over recorded trades'
complete -c robson -n '_shtab_robson_using replay' -s h -l help -d 'show this help message and exit'
complete -c robson -n '_shtab_robson_using replay' -l symbol -x -d 'the pair, of a recording with several (default: the first one in it)'
complete -c robson -n '_shtab_robson_using replay' -l cases -xka "(_robson_paths)" -d 'one case a line, {"id","side","entry_row","stop_distance"}; "-" reads standard input'
complete -c robson -n '_shtab_robson_using replay' -l side -x -d 'long or short'
complete -c robson -n '_shtab_robson_using replay' -l entry-row -x -d 'the row to enter at, counted from 0 over the trades'
complete -c robson -n '_shtab_robson_using replay' -l stop-distance -x -d 'from the best price to the stop, in quote currency'
complete -c robson -n '_shtab_robson_using replay; and test $_shtab_robson_npos -eq 0' -ka "(_robson_paths)" -d 'the recorded trades'
complete -c robson -n '_shtab_robson_using; and test $_shtab_robson_npos -eq 0' -a emulator -d 'a venue on loopback that speaks Binance'"'"'s protocols, to rehearse without money'
complete -c robson -n '_shtab_robson_using emulator' -s h -l help -d 'show this help message and exit'
complete -c robson -n '_shtab_robson_using emulator' -l listen -x -d 'a loopback address (default 127.0.0.1:9000)'
complete -c robson -n '_shtab_robson_using emulator' -l config -xka "(_robson_paths)" -d 'robson.toml, for its sections [feed] and [paper]'
complete -c robson -n '_shtab_robson_using emulator' -l state-dir -xka "(_robson_paths)" -d 'where its account lives (default: emulator/ in Robson'"'"'s)'
complete -c robson -n '_shtab_robson_using emulator' -l credentials-dir -xka "(_robson_paths)" -d 'the keys to accept; made there when there are none'
complete -c robson -n '_shtab_robson_using emulator' -l feed -x -d 'synthetic (default), replay or binance (live public prices)'
complete -c robson -n '_shtab_robson_using emulator' -l file -xka "(_robson_paths)" -d 'what replay plays'
complete -c robson -n '_shtab_robson_using emulator' -l symbol -x -d 'the pair of a replay file whose name does not tell it'
complete -c robson -n '_shtab_robson_using emulator' -l speed -x -d 'tape seconds per second, or "max"'
complete -c robson -n '_shtab_robson_using emulator' -l seed -x -d 'which synthetic market, and which luck'
complete -c robson -n '_shtab_robson_using emulator' -l control -d 'open /control/, where faults are switched'
complete -c robson -n '_shtab_robson_using emulator' -l log-level -x -d 'debug, info, warning or error'
complete -c robson -n '_shtab_robson_using; and test $_shtab_robson_npos -eq 0' -a doctor -d 'look whether everything is ready to trade, and change nothing'
complete -c robson -n '_shtab_robson_using doctor' -s h -l help -d 'show this help message and exit'
complete -c robson -n '_shtab_robson_using doctor' -l config -xka "(_robson_paths)" -d robson.toml
complete -c robson -n '_shtab_robson_using doctor' -l state-dir -xka "(_robson_paths)" -d 'where the journal lives'
complete -c robson -n '_shtab_robson_using doctor' -l socket -xka "(_robson_paths)" -d 'the control socket'
complete -c robson -n '_shtab_robson_using doctor' -l credentials-dir -xka "(_robson_paths)" -d 'where the exchange'"'"'s keys are, one file each'
complete -c robson -n '_shtab_robson_using doctor' -l mode -x -d 'paper or live (the configuration'"'"'s)'
complete -c robson -n '_shtab_robson_using doctor' -l feed -x -d 'binance, synthetic or replay (the configuration'"'"'s)'
complete -c robson -n '_shtab_robson_using doctor' -l symbol -x -d 'a pair to look at (those of the open positions)'
complete -c robson -n '_shtab_robson_using doctor' -l json -d 'one JSON object instead of a line a check'
complete -c robson -n '_shtab_robson_using; and test $_shtab_robson_npos -eq 0' -a selftest -d 'kill a daemon, on paper or in live mode, again and again: nothing is done twice, nothing lost'
complete -c robson -n '_shtab_robson_using selftest' -s h -l help -d 'show this help message and exit'
complete -c robson -n '_shtab_robson_using selftest' -l kills -x -d 'how many (60 on paper, 100 with --live)'
complete -c robson -n '_shtab_robson_using selftest' -l live -d 'in live mode, against an emulator of its own with every fault at random'
complete -c robson -n '_shtab_robson_using selftest' -l lives -x -d 'with --live: positions from entry to exit (1000)'
complete -c robson -n '_shtab_robson_using selftest' -l venue-kills -x -d 'with --live: how often the emulator is killed (20)'
complete -c robson -n '_shtab_robson_using selftest' -l seed -x -d 'which kills, trades and markets (another one each time)'
complete -c robson -n '_shtab_robson_using selftest' -l json -d 'one JSON object instead of a name and a value a line'
complete -c robson -n '_shtab_robson_using selftest' -l state-dir -xka "(_robson_paths)" -d 'an existing directory on the disk to test (the place for temporary files)'
complete -c robson -n '_shtab_robson_using selftest' -l keep -d 'leave the files where they are, to look at'
complete -c robson -n '_shtab_robson_using; and test $_shtab_robson_npos -eq 0' -a bench -d 'how fast it is on this machine and disk, beside bare scripts'
complete -c robson -n '_shtab_robson_using bench' -s h -l help -d 'show this help message and exit'
complete -c robson -n '_shtab_robson_using bench' -l rounds -x -d 'how many rounds each (5)'
complete -c robson -n '_shtab_robson_using bench' -l quick -d 'a look whether everything runs; figures worth little'
complete -c robson -n '_shtab_robson_using bench' -l json -x -d 'also write the report there, for --compare'
complete -c robson -n '_shtab_robson_using bench' -l compare -x -d 'an earlier report, to show what changed'
complete -c robson -n '_shtab_robson_using bench' -l state-dir -xka "(_robson_paths)" -d 'an existing directory on the disk to measure (.)'
complete -c robson -n '_shtab_robson_using bench' -l no-awake -d 'let idle processors sleep, as they do on a quiet day'
complete -c robson -n '_shtab_robson_using; and test $_shtab_robson_npos -eq 0' -a backup -d 'copy the journal, also while the daemon runs'
complete -c robson -n '_shtab_robson_using backup' -s h -l help -d 'show this help message and exit'
complete -c robson -n '_shtab_robson_using backup' -l state-dir -xka "(_robson_paths)" -d 'whose journal (the place that `robson run` uses)'
complete -c robson -n '_shtab_robson_using backup' -l force -d 'replace FILE if it is there'
complete -c robson -n '_shtab_robson_using backup; and test $_shtab_robson_npos -eq 0' -ka "(_robson_paths)" -d 'where the copy goes; nobody but you can read it'
complete -c robson -n '_shtab_robson_using; and test $_shtab_robson_npos -eq 0' -a restore -d 'put a copy of the journal in its place'
complete -c robson -n '_shtab_robson_using restore' -s h -l help -d 'show this help message and exit'
complete -c robson -n '_shtab_robson_using restore' -l state-dir -xka "(_robson_paths)" -d 'where it goes (the place that `robson run` uses)'
complete -c robson -n '_shtab_robson_using restore' -l mode -xka "paper live" -d 'refuse a copy of the other mode'
complete -c robson -n '_shtab_robson_using restore; and test $_shtab_robson_npos -eq 0' -ka "(_robson_paths)" -d 'what `robson backup` has made'
complete -c robson -n '_shtab_robson_using; and test $_shtab_robson_npos -eq 0' -a report -d 'write a page about what was traded, from the journal, also while the daemon runs'
complete -c robson -n '_shtab_robson_using report' -s h -l help -d 'show this help message and exit'
complete -c robson -n '_shtab_robson_using report' -s o -l output -x -d 'the page, such as report.html; a table in CSV goes beside it'
complete -c robson -n '_shtab_robson_using report' -l since -x -d 'only positions closed in the last 30d, 12h, 2w ... before the journal'"'"'s newest event'
complete -c robson -n '_shtab_robson_using report' -l state-dir -xka "(_robson_paths)" -d 'whose journal (the place that `robson run` uses)'
complete -c robson -n '_shtab_robson_using report' -l charts -x -d 'draw at most so many positions, the newest (40)'
