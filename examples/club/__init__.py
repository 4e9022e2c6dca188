"""What both clubs share: what a member may do, the pages, their texts in three languages."""
