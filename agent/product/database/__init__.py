"""The product's database: where it is and as whom, drivers, errors, the proof that we cannot write, lock and gate."""
