"""How a reading is taken: thin, and nothing on the disk or the account is changed by it."""
