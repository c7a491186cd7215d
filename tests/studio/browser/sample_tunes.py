"""Tunes that the tests of the browser show."""

from __future__ import annotations

REEL = """X:1
T:A Reel
M:4/4
L:1/8
Q:1/4=180
K:G
D2|:"G"G2BG DGBG|"C"c2ec "G"BGBd|"Am"cBAG "D7"FGAB|[1 "G"G4 G2D2:|[2 "G"G4 G4||
|:"Em"e2ge "Bm"dBGB|"C"c2ec "G"B2Bd|"D"~f3e dcAF|"G"G4 z4:|
"""
# A triplet, a tie, a bar of rest, an upbeat; each eighth is half a beat of 240 a minute.
JIG = """X:1
M:6/8
L:1/8
Q:1/8=480
K:Ddor
A|DED FED|(3ABc A GFE|D2-D2 z2|z6|A2B c2B|d3 d2:|
"""
