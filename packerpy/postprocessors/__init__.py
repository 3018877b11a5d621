"""Steps that turn one artifact into another: one folder each."""
