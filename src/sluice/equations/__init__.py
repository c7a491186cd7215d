"""A cell's equations as data: traced into a graph, differentiated, cut into stages, evaluated."""

from sluice.equations.adjoint import Adjoint as Adjoint
from sluice.equations.adjoint import differentiate as differentiate
from sluice.equations.graph import Graph as Graph
from sluice.equations.ops import Value as Value
from sluice.equations.ops import absolute as absolute
from sluice.equations.ops import detach as detach
from sluice.equations.ops import exp as exp
from sluice.equations.ops import greater as greater
from sluice.equations.ops import log as log
from sluice.equations.ops import log_sigmoid as log_sigmoid
from sluice.equations.ops import maximum as maximum
from sluice.equations.ops import minimum as minimum
from sluice.equations.ops import relu as relu
from sluice.equations.ops import sigmoid as sigmoid
from sluice.equations.ops import sqrt as sqrt
from sluice.equations.ops import tanh as tanh
from sluice.equations.ops import where as where
from sluice.equations.specs import Sizes as Sizes
from sluice.equations.stages import Stages as Stages
from sluice.equations.stages import split_stages as split_stages
from sluice.equations.symbol import EquationError as EquationError
from sluice.equations.text import from_text as from_text
from sluice.equations.text import to_text as to_text
