"""What is left after a build: the journal, the record of what is built, the output folder."""
