"""What a line says, cell by cell, with no drawing: sums, equations, slopes, words, and the scale of its colours."""
