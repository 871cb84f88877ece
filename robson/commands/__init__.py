"""One module per subcommand of `robson`: a docstring for its help, `add_arguments(parser)` and `run(arguments)`."""
