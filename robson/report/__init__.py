"""The report over a journal: figures, pictures and the page that holds them, all pure but for the reading."""
