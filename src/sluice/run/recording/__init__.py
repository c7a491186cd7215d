"""Recordings of a pass: who asks for them, what a backend delivers to, and where values are kept.

``recorders`` knows who records which layer, ``sinks`` says what a backend delivers to,
``recorded_pass`` and ``recorded_stream`` hold what was delivered.
"""
