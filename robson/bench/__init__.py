"""How fast Robson is, each figure beside a bare script that does only the physical work, measured in the same run."""
