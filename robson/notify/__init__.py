"""Telling the operator: the journal's sequence, sent to a phone, a mailbox or a program; never in the way."""
