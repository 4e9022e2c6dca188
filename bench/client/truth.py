"""What is asked for and what the right answer is; shared by the server and by who checks it.

Every call of a burst asks for another receipt, so an answer that belongs to another call is seen.
For one id the server lies: a contestant whose check does not notice can't take part.
"""

from __future__ import annotations

Seen = tuple[str, int]
"""What a contestant reads out of an answer: the receipt's id and its amount in tiyin."""

RECEIPT_IDS = tuple(f"6311946bc4420cbf2712a2{number:02x}" for number in range(1, 101))
LIED_ABOUT = "6311946bc4420cbf2712a2ff"


def right_answer(receipt_id: str) -> Seen:
    """Return what an honest server says of a receipt."""
    return receipt_id, 400_000 + int(receipt_id[-2:], 16)


def told(receipt_id: str) -> Seen:
    """Return what the benchmark's server says of a receipt."""
    return right_answer(RECEIPT_IDS[0] if receipt_id == LIED_ABOUT else receipt_id)


RIGHT = {receipt_id: right_answer(receipt_id) for receipt_id in (*RECEIPT_IDS, LIED_ABOUT)}
