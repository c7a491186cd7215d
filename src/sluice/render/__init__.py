"""Equations written out in the languages that run them."""

from sluice.render.latex import Equations as Equations
from sluice.render.latex import format_equations as format_equations
from sluice.render.typeset import typeset_equations as typeset_equations
