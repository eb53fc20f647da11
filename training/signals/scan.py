"""The safety scan as the router does it: overlapping windows of a text, and the text itself when the model takes it whole.

A request's score is the highest of all its texts' windows. The numbers are those of the engine: `WINDOW` tokens with two special ones and a
margin of two, so 124 of the text, of which `OVERLAP` are shared with the neighbour.
"""

import numpy as np

WINDOW = 128
OVERLAP = 32
ROOM = WINDOW - 4
WHOLE = 512


def windows(tokenizer, text, whole=True):
    """The pieces of a text that are scored."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    found = tokenizer.encode(text)
    offsets = [o for o, s in zip(found.offsets, found.special_tokens_mask) if not s]
    if len(offsets) <= ROOM:
        return [text]
    pieces = [text] if whole and len(offsets) + 2 <= WHOLE else []
    start = 0
    while True:
        part = offsets[start:start + ROOM]
        pieces.append(text[part[0][0]:part[-1][1]])
        if start + ROOM >= len(offsets):
            return pieces
        start += ROOM - OVERLAP


def scores(tokenizer, requests, score, whole=True):
    """The highest score of each request (a list of texts); `score` maps texts to numbers."""
    pieces, owner, known = [], [], {}
    for number, texts in enumerate(requests):
        for text in texts:
            for piece in windows(tokenizer, text, whole):
                if piece.strip():
                    pieces.append(known.setdefault(piece, len(known)))
                    owner.append(number)
    values = score(list(known))
    out = np.full(len(requests), -np.inf)
    np.maximum.at(out, owner, values[pieces])
    return out
