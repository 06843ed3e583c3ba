"""DEVNET. Law: a local world of real contracts on loopback; every process started here is ended here."""
