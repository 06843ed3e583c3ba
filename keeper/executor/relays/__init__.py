"""Channels into blocks: one small module a dialect, one transport under all of them."""
