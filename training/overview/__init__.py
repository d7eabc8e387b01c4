"""The whole picture of the corpus and the gold set: figures, tables, plots and a page to browse the records."""
