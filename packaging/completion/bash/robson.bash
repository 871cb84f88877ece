# Written by `make manuals` with shtab; a test keeps it in step with the code.

_shtab_robson_subparsers=(run panic demo replay emulator doctor selftest bench backup restore report)

_shtab_robson_run_option_strings=(-h --help --config --state-dir --socket --credentials-dir --mode --feed --file --symbol --speed --seed --log-level)
_shtab_robson_panic_option_strings=(-h --help --config --state-dir --socket --credentials-dir --mode --feed --file --symbol --speed --seed --log-level --yes --timeout -o --output)
_shtab_robson_demo_option_strings=(-h --help --replay --symbol --speed --seed --keep)
_shtab_robson_replay_option_strings=(-h --help --symbol --cases --side --entry-row --stop-distance)
_shtab_robson_emulator_option_strings=(-h --help --listen --config --state-dir --credentials-dir --feed --file --symbol --speed --seed --control --log-level)
_shtab_robson_doctor_option_strings=(-h --help --config --state-dir --socket --credentials-dir --mode --feed --symbol --json)
_shtab_robson_selftest_option_strings=(-h --help --kills --live --lives --venue-kills --seed --json --state-dir --keep)
_shtab_robson_bench_option_strings=(-h --help --rounds --quick --json --compare --state-dir --no-awake)
_shtab_robson_backup_option_strings=(-h --help --state-dir --force)
_shtab_robson_restore_option_strings=(-h --help --state-dir --mode)
_shtab_robson_report_option_strings=(-h --help -o --output --since --state-dir --charts)
_shtab_robson_option_strings=(-h --help --version)

_shtab_robson_run___config_COMPGEN=_robson_paths
_shtab_robson_run___state_dir_COMPGEN=_robson_paths
_shtab_robson_run___socket_COMPGEN=_robson_paths
_shtab_robson_run___credentials_dir_COMPGEN=_robson_paths
_shtab_robson_run___file_COMPGEN=_robson_paths
_shtab_robson_panic___config_COMPGEN=_robson_paths
_shtab_robson_panic___state_dir_COMPGEN=_robson_paths
_shtab_robson_panic___socket_COMPGEN=_robson_paths
_shtab_robson_panic___credentials_dir_COMPGEN=_robson_paths
_shtab_robson_panic___file_COMPGEN=_robson_paths
_shtab_robson_demo___replay_COMPGEN=_robson_paths
_shtab_robson_replay_pos_0_COMPGEN=_robson_paths
_shtab_robson_replay___cases_COMPGEN=_robson_paths
_shtab_robson_emulator___config_COMPGEN=_robson_paths
_shtab_robson_emulator___state_dir_COMPGEN=_robson_paths
_shtab_robson_emulator___credentials_dir_COMPGEN=_robson_paths
_shtab_robson_emulator___file_COMPGEN=_robson_paths
_shtab_robson_doctor___config_COMPGEN=_robson_paths
_shtab_robson_doctor___state_dir_COMPGEN=_robson_paths
_shtab_robson_doctor___socket_COMPGEN=_robson_paths
_shtab_robson_doctor___credentials_dir_COMPGEN=_robson_paths
_shtab_robson_selftest___state_dir_COMPGEN=_robson_paths
_shtab_robson_bench___state_dir_COMPGEN=_robson_paths
_shtab_robson_backup_pos_0_COMPGEN=_robson_paths
_shtab_robson_backup___state_dir_COMPGEN=_robson_paths
_shtab_robson_restore_pos_0_COMPGEN=_robson_paths
_shtab_robson_restore___state_dir_COMPGEN=_robson_paths
_shtab_robson_report___state_dir_COMPGEN=_robson_paths

_shtab_robson_panic__o_choices=(table json)
_shtab_robson_panic___output_choices=(table json)
_shtab_robson_restore___mode_choices=(paper live)
_shtab_robson_pos_0_choices=(run panic demo replay emulator doctor selftest bench backup restore report)

_shtab_robson_run__h_nargs=0
_shtab_robson_run___help_nargs=0
_shtab_robson_panic__h_nargs=0
_shtab_robson_panic___help_nargs=0
_shtab_robson_panic___yes_nargs=0
_shtab_robson_demo__h_nargs=0
_shtab_robson_demo___help_nargs=0
_shtab_robson_demo___keep_nargs=0
_shtab_robson_replay__h_nargs=0
_shtab_robson_replay___help_nargs=0
_shtab_robson_emulator__h_nargs=0
_shtab_robson_emulator___help_nargs=0
_shtab_robson_emulator___control_nargs=0
_shtab_robson_doctor__h_nargs=0
_shtab_robson_doctor___help_nargs=0
_shtab_robson_doctor___json_nargs=0
_shtab_robson_selftest__h_nargs=0
_shtab_robson_selftest___help_nargs=0
_shtab_robson_selftest___live_nargs=0
_shtab_robson_selftest___json_nargs=0
_shtab_robson_selftest___keep_nargs=0
_shtab_robson_bench_pos_0_nargs='*'
_shtab_robson_bench__h_nargs=0
_shtab_robson_bench___help_nargs=0
_shtab_robson_bench___quick_nargs=0
_shtab_robson_bench___no_awake_nargs=0
_shtab_robson_backup__h_nargs=0
_shtab_robson_backup___help_nargs=0
_shtab_robson_backup___force_nargs=0
_shtab_robson_restore__h_nargs=0
_shtab_robson_restore___help_nargs=0
_shtab_robson_report__h_nargs=0
_shtab_robson_report___help_nargs=0
_shtab_robson_pos_0_nargs=A...
_shtab_robson__h_nargs=0
_shtab_robson___help_nargs=0
_shtab_robson___version_nargs=0


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
_shtab_robson() {
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

  local prefix=_shtab_robson
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

complete -o bashdefault -F _shtab_robson robson
