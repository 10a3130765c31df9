"""What comes in: the wire format, decoding and cleaning, signals, similarity, the join, rewards, and the sources.

Everything but `sources` is pure: same input, same `now`, same answer. Nothing here opens the store or imports torch.
"""
