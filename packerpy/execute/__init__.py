"""The engine: carries out a plan. The only part of packerpy that uses threads."""
