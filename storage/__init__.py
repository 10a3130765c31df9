"""What is kept: the nouns of the product and the store that holds them.

`storage.records` may be imported by everybody; the rest of this package by `daemon` alone.
"""
