# Written by `make manuals` with shtab; a test keeps it in step with the code.

_shtab_robsonctl_subparsers=(status show why chart plan events watch arm signal disarm close adjust adopt release panic resume pause unpause health hello ping journal notify schema version help)

_shtab_robsonctl_status_option_strings=(-h --help --socket --json -o --output --timeout --color --all --watch)
_shtab_robsonctl_show_option_strings=(-h --help --socket --json -o --output --timeout --color --watch)
_shtab_robsonctl_why_option_strings=(-h --help --socket --json -o --output --timeout --color --watch)
_shtab_robsonctl_chart_option_strings=(-h --help --socket --json -o --output --timeout --color --width)
_shtab_robsonctl_plan_option_strings=(-h --help --socket --json -o --output --timeout --color --entry --stop --capital --risk --watch)
_shtab_robsonctl_events_option_strings=(-h --help --socket --json -o --output --timeout --color --position --from -n --follow --prices)
_shtab_robsonctl_watch_option_strings=(-h --help --socket --json -o --output --timeout --color)
_shtab_robsonctl_arm_option_strings=(-h --help --socket --json -o --output --timeout --color --strategy --capital --risk --param --key)
_shtab_robsonctl_signal_option_strings=(-h --help --socket --json -o --output --timeout --color --entry --stop --id --key)
_shtab_robsonctl_disarm_option_strings=(-h --help --socket --json -o --output --timeout --color --key)
_shtab_robsonctl_close_option_strings=(-h --help --socket --json -o --output --timeout --color --key)
_shtab_robsonctl_adjust_option_strings=(-h --help --socket --json -o --output --timeout --color --stop --key)
_shtab_robsonctl_adopt_option_strings=(-h --help --socket --json -o --output --timeout --color --quantity --stop --entry-price --key)
_shtab_robsonctl_release_option_strings=(-h --help --socket --json -o --output --timeout --color --key)
_shtab_robsonctl_panic_option_strings=(-h --help --socket --json -o --output --timeout --color --yes --preview --direct --config --state-dir --credentials-dir --mode --key)
_shtab_robsonctl_resume_option_strings=(-h --help --socket --json -o --output --timeout --color --key)
_shtab_robsonctl_pause_option_strings=(-h --help --socket --json -o --output --timeout --color --key)
_shtab_robsonctl_unpause_option_strings=(-h --help --socket --json -o --output --timeout --color --key)
_shtab_robsonctl_health_option_strings=(-h --help --socket --json -o --output --timeout --color --watch)
_shtab_robsonctl_hello_option_strings=(-h --help --socket --json -o --output --timeout --color --watch)
_shtab_robsonctl_ping_option_strings=(-h --help --socket --json -o --output --timeout --color --watch)
_shtab_robsonctl_journal_option_strings=(-h --help --socket --json -o --output --timeout --color --watch)
_shtab_robsonctl_notify_option_strings=(-h --help --socket --json -o --output --timeout --color --key)
_shtab_robsonctl_schema_option_strings=(-h --help --socket --json -o --output --timeout --color)
_shtab_robsonctl_version_option_strings=(-h --help --socket --json -o --output --timeout --color)
_shtab_robsonctl_help_option_strings=(-h --help --socket --json -o --output --timeout --color)
_shtab_robsonctl_option_strings=(-h --help --socket --json -o --output --timeout --color --version -c)

_shtab_robsonctl_status_pos_0_COMPGEN=_robsonctl_positions
_shtab_robsonctl_status___socket_COMPGEN=_robson_paths
_shtab_robsonctl_show_pos_0_COMPGEN=_robsonctl_positions
_shtab_robsonctl_show___socket_COMPGEN=_robson_paths
_shtab_robsonctl_why_pos_0_COMPGEN=_robsonctl_positions
_shtab_robsonctl_why___socket_COMPGEN=_robson_paths
_shtab_robsonctl_chart_pos_0_COMPGEN=_robsonctl_positions
_shtab_robsonctl_chart___socket_COMPGEN=_robson_paths
_shtab_robsonctl_plan___socket_COMPGEN=_robson_paths
_shtab_robsonctl_events___socket_COMPGEN=_robson_paths
_shtab_robsonctl_events___position_COMPGEN=_robsonctl_positions
_shtab_robsonctl_watch___socket_COMPGEN=_robson_paths
_shtab_robsonctl_arm___socket_COMPGEN=_robson_paths
_shtab_robsonctl_signal_pos_0_COMPGEN=_robsonctl_positions
_shtab_robsonctl_signal___socket_COMPGEN=_robson_paths
_shtab_robsonctl_disarm_pos_0_COMPGEN=_robsonctl_positions
_shtab_robsonctl_disarm___socket_COMPGEN=_robson_paths
_shtab_robsonctl_close_pos_0_COMPGEN=_robsonctl_positions
_shtab_robsonctl_close___socket_COMPGEN=_robson_paths
_shtab_robsonctl_adjust_pos_0_COMPGEN=_robsonctl_positions
_shtab_robsonctl_adjust___socket_COMPGEN=_robson_paths
_shtab_robsonctl_adopt___socket_COMPGEN=_robson_paths
_shtab_robsonctl_release_pos_0_COMPGEN=_robsonctl_positions
_shtab_robsonctl_release___socket_COMPGEN=_robson_paths
_shtab_robsonctl_panic___socket_COMPGEN=_robson_paths
_shtab_robsonctl_panic___config_COMPGEN=_robson_paths
_shtab_robsonctl_panic___state_dir_COMPGEN=_robson_paths
_shtab_robsonctl_panic___credentials_dir_COMPGEN=_robson_paths
_shtab_robsonctl_resume___socket_COMPGEN=_robson_paths
_shtab_robsonctl_pause___socket_COMPGEN=_robson_paths
_shtab_robsonctl_unpause___socket_COMPGEN=_robson_paths
_shtab_robsonctl_health___socket_COMPGEN=_robson_paths
_shtab_robsonctl_hello___socket_COMPGEN=_robson_paths
_shtab_robsonctl_ping___socket_COMPGEN=_robson_paths
_shtab_robsonctl_journal___socket_COMPGEN=_robson_paths
_shtab_robsonctl_notify___socket_COMPGEN=_robson_paths
_shtab_robsonctl_schema___socket_COMPGEN=_robson_paths
_shtab_robsonctl_version___socket_COMPGEN=_robson_paths
_shtab_robsonctl_help___socket_COMPGEN=_robson_paths
_shtab_robsonctl___socket_COMPGEN=_robson_paths

_shtab_robsonctl_status__o_choices=(table json jsonl csv)
_shtab_robsonctl_status___output_choices=(table json jsonl csv)
_shtab_robsonctl_status___color_choices=(auto always never)
_shtab_robsonctl_show__o_choices=(table json jsonl csv)
_shtab_robsonctl_show___output_choices=(table json jsonl csv)
_shtab_robsonctl_show___color_choices=(auto always never)
_shtab_robsonctl_why__o_choices=(table json jsonl csv)
_shtab_robsonctl_why___output_choices=(table json jsonl csv)
_shtab_robsonctl_why___color_choices=(auto always never)
_shtab_robsonctl_chart___color_choices=(auto always never)
_shtab_robsonctl_plan_pos_1_choices=(long short)
_shtab_robsonctl_plan__o_choices=(table json jsonl csv)
_shtab_robsonctl_plan___output_choices=(table json jsonl csv)
_shtab_robsonctl_plan___color_choices=(auto always never)
_shtab_robsonctl_events__o_choices=(table json jsonl csv)
_shtab_robsonctl_events___output_choices=(table json jsonl csv)
_shtab_robsonctl_events___color_choices=(auto always never)
_shtab_robsonctl_watch__o_choices=(table json jsonl csv)
_shtab_robsonctl_watch___output_choices=(table json jsonl csv)
_shtab_robsonctl_watch___color_choices=(auto always never)
_shtab_robsonctl_arm_pos_1_choices=(long short)
_shtab_robsonctl_arm__o_choices=(table json jsonl csv)
_shtab_robsonctl_arm___output_choices=(table json jsonl csv)
_shtab_robsonctl_arm___color_choices=(auto always never)
_shtab_robsonctl_signal__o_choices=(table json jsonl csv)
_shtab_robsonctl_signal___output_choices=(table json jsonl csv)
_shtab_robsonctl_signal___color_choices=(auto always never)
_shtab_robsonctl_disarm__o_choices=(table json jsonl csv)
_shtab_robsonctl_disarm___output_choices=(table json jsonl csv)
_shtab_robsonctl_disarm___color_choices=(auto always never)
_shtab_robsonctl_close__o_choices=(table json jsonl csv)
_shtab_robsonctl_close___output_choices=(table json jsonl csv)
_shtab_robsonctl_close___color_choices=(auto always never)
_shtab_robsonctl_adjust__o_choices=(table json jsonl csv)
_shtab_robsonctl_adjust___output_choices=(table json jsonl csv)
_shtab_robsonctl_adjust___color_choices=(auto always never)
_shtab_robsonctl_adopt_pos_1_choices=(long short)
_shtab_robsonctl_adopt__o_choices=(table json jsonl csv)
_shtab_robsonctl_adopt___output_choices=(table json jsonl csv)
_shtab_robsonctl_adopt___color_choices=(auto always never)
_shtab_robsonctl_release__o_choices=(table json jsonl csv)
_shtab_robsonctl_release___output_choices=(table json jsonl csv)
_shtab_robsonctl_release___color_choices=(auto always never)
_shtab_robsonctl_panic__o_choices=(table json jsonl csv)
_shtab_robsonctl_panic___output_choices=(table json jsonl csv)
_shtab_robsonctl_panic___color_choices=(auto always never)
_shtab_robsonctl_panic___mode_choices=(paper live)
_shtab_robsonctl_resume__o_choices=(table json jsonl csv)
_shtab_robsonctl_resume___output_choices=(table json jsonl csv)
_shtab_robsonctl_resume___color_choices=(auto always never)
_shtab_robsonctl_pause__o_choices=(table json jsonl csv)
_shtab_robsonctl_pause___output_choices=(table json jsonl csv)
_shtab_robsonctl_pause___color_choices=(auto always never)
_shtab_robsonctl_unpause__o_choices=(table json jsonl csv)
_shtab_robsonctl_unpause___output_choices=(table json jsonl csv)
_shtab_robsonctl_unpause___color_choices=(auto always never)
_shtab_robsonctl_health__o_choices=(table json jsonl csv)
_shtab_robsonctl_health___output_choices=(table json jsonl csv)
_shtab_robsonctl_health___color_choices=(auto always never)
_shtab_robsonctl_hello__o_choices=(table json jsonl csv)
_shtab_robsonctl_hello___output_choices=(table json jsonl csv)
_shtab_robsonctl_hello___color_choices=(auto always never)
_shtab_robsonctl_ping__o_choices=(table json jsonl csv)
_shtab_robsonctl_ping___output_choices=(table json jsonl csv)
_shtab_robsonctl_ping___color_choices=(auto always never)
_shtab_robsonctl_journal__o_choices=(table json jsonl csv)
_shtab_robsonctl_journal___output_choices=(table json jsonl csv)
_shtab_robsonctl_journal___color_choices=(auto always never)
_shtab_robsonctl_notify_pos_0_choices=(test status)
_shtab_robsonctl_notify__o_choices=(table json jsonl csv)
_shtab_robsonctl_notify___output_choices=(table json jsonl csv)
_shtab_robsonctl_notify___color_choices=(auto always never)
_shtab_robsonctl_schema_pos_0_choices=(requests replies events)
_shtab_robsonctl_schema__o_choices=(table json jsonl csv)
_shtab_robsonctl_schema___output_choices=(table json jsonl csv)
_shtab_robsonctl_schema___color_choices=(auto always never)
_shtab_robsonctl_version__o_choices=(table json jsonl csv)
_shtab_robsonctl_version___output_choices=(table json jsonl csv)
_shtab_robsonctl_version___color_choices=(auto always never)
_shtab_robsonctl_help_pos_0_choices=(adjust adopt arm chart close disarm events health hello help journal notify panic pause ping plan release resume schema show signal status unpause version watch why)
_shtab_robsonctl_help__o_choices=(table json jsonl csv)
_shtab_robsonctl_help___output_choices=(table json jsonl csv)
_shtab_robsonctl_help___color_choices=(auto always never)
_shtab_robsonctl_pos_0_choices=(status show why chart plan events watch arm signal disarm close adjust adopt release panic resume pause unpause health hello ping journal notify schema version help)
_shtab_robsonctl__o_choices=(table json jsonl csv)
_shtab_robsonctl___output_choices=(table json jsonl csv)
_shtab_robsonctl___color_choices=(auto always never)

_shtab_robsonctl_status__h_nargs=0
_shtab_robsonctl_status___help_nargs=0
_shtab_robsonctl_status___json_nargs=0
_shtab_robsonctl_status___all_nargs=0
_shtab_robsonctl_status___watch_nargs='?'
_shtab_robsonctl_show__h_nargs=0
_shtab_robsonctl_show___help_nargs=0
_shtab_robsonctl_show___json_nargs=0
_shtab_robsonctl_show___watch_nargs='?'
_shtab_robsonctl_why__h_nargs=0
_shtab_robsonctl_why___help_nargs=0
_shtab_robsonctl_why___json_nargs=0
_shtab_robsonctl_why___watch_nargs='?'
_shtab_robsonctl_chart__h_nargs=0
_shtab_robsonctl_chart___help_nargs=0
_shtab_robsonctl_chart___json_nargs=0
_shtab_robsonctl_plan__h_nargs=0
_shtab_robsonctl_plan___help_nargs=0
_shtab_robsonctl_plan___json_nargs=0
_shtab_robsonctl_plan___watch_nargs='?'
_shtab_robsonctl_events__h_nargs=0
_shtab_robsonctl_events___help_nargs=0
_shtab_robsonctl_events___json_nargs=0
_shtab_robsonctl_events___follow_nargs=0
_shtab_robsonctl_events___prices_nargs=0
_shtab_robsonctl_watch__h_nargs=0
_shtab_robsonctl_watch___help_nargs=0
_shtab_robsonctl_watch___json_nargs=0
_shtab_robsonctl_arm__h_nargs=0
_shtab_robsonctl_arm___help_nargs=0
_shtab_robsonctl_arm___json_nargs=0
_shtab_robsonctl_signal__h_nargs=0
_shtab_robsonctl_signal___help_nargs=0
_shtab_robsonctl_signal___json_nargs=0
_shtab_robsonctl_disarm__h_nargs=0
_shtab_robsonctl_disarm___help_nargs=0
_shtab_robsonctl_disarm___json_nargs=0
_shtab_robsonctl_close__h_nargs=0
_shtab_robsonctl_close___help_nargs=0
_shtab_robsonctl_close___json_nargs=0
_shtab_robsonctl_adjust__h_nargs=0
_shtab_robsonctl_adjust___help_nargs=0
_shtab_robsonctl_adjust___json_nargs=0
_shtab_robsonctl_adopt__h_nargs=0
_shtab_robsonctl_adopt___help_nargs=0
_shtab_robsonctl_adopt___json_nargs=0
_shtab_robsonctl_release__h_nargs=0
_shtab_robsonctl_release___help_nargs=0
_shtab_robsonctl_release___json_nargs=0
_shtab_robsonctl_panic__h_nargs=0
_shtab_robsonctl_panic___help_nargs=0
_shtab_robsonctl_panic___json_nargs=0
_shtab_robsonctl_panic___yes_nargs=0
_shtab_robsonctl_panic___preview_nargs=0
_shtab_robsonctl_panic___direct_nargs=0
_shtab_robsonctl_resume__h_nargs=0
_shtab_robsonctl_resume___help_nargs=0
_shtab_robsonctl_resume___json_nargs=0
_shtab_robsonctl_pause__h_nargs=0
_shtab_robsonctl_pause___help_nargs=0
_shtab_robsonctl_pause___json_nargs=0
_shtab_robsonctl_unpause__h_nargs=0
_shtab_robsonctl_unpause___help_nargs=0
_shtab_robsonctl_unpause___json_nargs=0
_shtab_robsonctl_health__h_nargs=0
_shtab_robsonctl_health___help_nargs=0
_shtab_robsonctl_health___json_nargs=0
_shtab_robsonctl_health___watch_nargs='?'
_shtab_robsonctl_hello__h_nargs=0
_shtab_robsonctl_hello___help_nargs=0
_shtab_robsonctl_hello___json_nargs=0
_shtab_robsonctl_hello___watch_nargs='?'
_shtab_robsonctl_ping__h_nargs=0
_shtab_robsonctl_ping___help_nargs=0
_shtab_robsonctl_ping___json_nargs=0
_shtab_robsonctl_ping___watch_nargs='?'
_shtab_robsonctl_journal__h_nargs=0
_shtab_robsonctl_journal___help_nargs=0
_shtab_robsonctl_journal___json_nargs=0
_shtab_robsonctl_journal___watch_nargs='?'
_shtab_robsonctl_notify__h_nargs=0
_shtab_robsonctl_notify___help_nargs=0
_shtab_robsonctl_notify___json_nargs=0
_shtab_robsonctl_schema__h_nargs=0
_shtab_robsonctl_schema___help_nargs=0
_shtab_robsonctl_schema___json_nargs=0
_shtab_robsonctl_version__h_nargs=0
_shtab_robsonctl_version___help_nargs=0
_shtab_robsonctl_version___json_nargs=0
_shtab_robsonctl_help__h_nargs=0
_shtab_robsonctl_help___help_nargs=0
_shtab_robsonctl_help___json_nargs=0
_shtab_robsonctl_pos_0_nargs=A...
_shtab_robsonctl__h_nargs=0
_shtab_robsonctl___help_nargs=0
_shtab_robsonctl___json_nargs=0
_shtab_robsonctl___version_nargs=0


# Custom Preamble
_robsonctl_positions() {
  local ids
  ids=$(robsonctl --timeout 1 --color never -o csv status 2>/dev/null | sed 1d | cut -d, -f1)
  compgen -W "$ids" -- "$1"
}
_robson_paths() {
  compgen -f -- "$1"
}
# End Custom Preamble

# $1=COMP_WORDS[1]
_shtab_compgen_files() {
  compgen -f -- $1  # files
}

# $1=COMP_WORDS[1]
_shtab_compgen_dirs() {
  compgen -d -- $1  # recurse into subdirs
}

# $1=COMP_WORDS[1]
_shtab_replace_nonword() {
  echo "${1//[^[:word:]]/_}"
}

# set default values (called for the initial parser & any subparsers)
_set_parser_defaults() {
  local subparsers_var="${prefix}_subparsers[@]"
  sub_parsers=${!subparsers_var-}

  local current_option_strings_var="${prefix}_option_strings[@]"
  current_option_strings=${!current_option_strings_var}

  completed_positional_actions=0

  _set_new_action "pos_$completed_positional_actions" true
}

# $1=action identifier
# $2=positional action (bool)
# set all identifiers for an action's parameters
_set_new_action() {
  current_action="${prefix}_$(_shtab_replace_nonword $1)"

  local current_action_compgen_var=${current_action}_COMPGEN
  current_action_compgen="${!current_action_compgen_var-}"

  local current_action_choices_var="${current_action}_choices[@]"
  current_action_choices="${!current_action_choices_var-}"

  local current_action_nargs_var="${current_action}_nargs"
  if [ -n "${!current_action_nargs_var-}" ]; then
    current_action_nargs="${!current_action_nargs_var}"
  else
    current_action_nargs=1
  fi

  current_action_args_start_index=$(( $word_index + 1 - $pos_only ))

  current_action_is_positional=$2
}

# Notes:
# `COMPREPLY`: what will be rendered after completion is triggered
# `completing_word`: currently typed word to generate completions for
# `${!var}`: evaluates the content of `var` and expand its content as a variable
#     hello="world"
#     x="hello"
#     ${!x} -> ${hello} -> "world"
_shtab_robsonctl() {
  local completing_word="${COMP_WORDS[COMP_CWORD]}"
  local previous_word="${COMP_WORDS[COMP_CWORD-1]}"
  local completed_positional_actions
  local current_action
  local current_action_args_start_index
  local current_action_choices
  local current_action_compgen
  local current_action_is_positional
  local current_action_nargs
  local current_option_strings
  local sub_parsers
  COMPREPLY=()

  local prefix=_shtab_robsonctl
  local word_index=0
  local pos_only=0 # "--" delimiter not encountered yet
  _set_parser_defaults
  word_index=1

  # determine what arguments are appropriate for the current state
  # of the arg parser
  while [ $word_index -ne $COMP_CWORD ]; do
    local this_word="${COMP_WORDS[$word_index]}"

    if [[ $pos_only = 1 || " $this_word " != " -- " ]]; then
      if [[ -n $sub_parsers && " ${sub_parsers[@]} " == *" $this_word "* ]]; then
        # valid subcommand: add it to the prefix & reset the current action
        prefix="${prefix}_$(_shtab_replace_nonword $this_word)"
        _set_parser_defaults
      fi

      if [[ " ${current_option_strings[@]} " == *" $this_word "* ]]; then
        # a new action should be acquired (due to recognised option string or
        # no more input expected from current action);
        # the next positional action can fill in here
        _set_new_action $this_word false
      fi

      if [[ "$current_action_nargs" != "*" ]] && \
         [[ "$current_action_nargs" != "+" ]] && \
         [[ "$current_action_nargs" != "?" ]] && \
         [[ "$current_action_nargs" != *"..." ]] && \
         (( $word_index + 1 - $current_action_args_start_index - $pos_only >= \
            $current_action_nargs )); then
        $current_action_is_positional && let "completed_positional_actions += 1"
        _set_new_action "pos_$completed_positional_actions" true
      fi
    else
      pos_only=1 # "--" delimiter encountered
    fi

    let "word_index+=1"
  done

  # Generate the completions

  COMPREPLY=()
  if [[ $pos_only = 0 && "$completing_word" == -* &&
        ( -z "$current_action_compgen" || "$current_action_is_positional" = true ) ]]; then
    # optional argument started: use option strings
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
      compgen -W "${current_option_strings[*]}" -- "$completing_word")
  elif [[ "$previous_word" =~ ^[0-9\&]*[\<\>]\>?$ ]]; then
    # handle redirection operators
    compopt -o filenames 2>/dev/null || : # bash>=4
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$completing_word")
  else
    # use choices & compgen
    local action_compgen_word="$completing_word"
    # handle tab-completing in the middle of a line (#248 <- #116)
    [[ -n "$current_action_compgen" && "$completing_word" == -* ]] && action_compgen_word=""
    [ -n "$current_action_compgen" ] && {
      [[ "$current_action_compgen" =~ _(file|dir|glob|FILE|DIR|GLOB)|File|Dir|Glob ]] &&
        compopt -o filenames 2>/dev/null || : # bash>=4
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
        "$current_action_compgen" "$action_compgen_word")
    }
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
      compgen -W "${current_action_choices[*]}" -- "$completing_word")
  fi

  if [[ ${#COMPREPLY[@]} = 0 ]]; then
    # native fallback matches are not necessarily filenames (e.g. variables)
    compopt +o filenames 2>/dev/null || : # bash>=4
  fi

  return 0
}

complete -o bashdefault -F _shtab_robsonctl robsonctl
