"""A page on which trained runs are searched, and the server that it comes from.

What a stranger sends is bounded before it costs anything: its size, its length, its number, the
time and memory that reading it takes. Nothing is written but an upload's temporary file, and no
file is sent but an item's, which is found by its id.
"""
