"""Labels of people: what is worth labelling, the files that they label in, and the records that come of it."""
