"""What `import sluice` offers, but for its submodules; it needs torch, so it is imported late."""

from __future__ import annotations

from sluice.cells import Cell as Cell
from sluice.cells import Gate as Gate
from sluice.cells import Map as Map
from sluice.cells import Mask as Mask
from sluice.cells import Norm as Norm
from sluice.cells import Scalar as Scalar
from sluice.cells import State as State
from sluice.cells import Vector as Vector
from sluice.equations import EquationError as EquationError
from sluice.equations import absolute as absolute
from sluice.equations import cosine_similarity as cosine_similarity
from sluice.equations import cumulative_softmax as cumulative_softmax
from sluice.equations import cumulative_sum as cumulative_sum
from sluice.equations import detach as detach
from sluice.equations import dot as dot
from sluice.equations import exp as exp
from sluice.equations import greater as greater
from sluice.equations import log as log
from sluice.equations import log_sigmoid as log_sigmoid
from sluice.equations import log_sum_exp as log_sum_exp
from sluice.equations import matvec as matvec
from sluice.equations import max_units as max_units
from sluice.equations import maximum as maximum
from sluice.equations import mean_units as mean_units
from sluice.equations import minimum as minimum
from sluice.equations import outer as outer
from sluice.equations import relu as relu
from sluice.equations import repeat as repeat
from sluice.equations import rms_norm as rms_norm
from sluice.equations import sigmoid as sigmoid
from sluice.equations import softmax as softmax
from sluice.equations import sqrt as sqrt
from sluice.equations import sum_units as sum_units
from sluice.equations import tanh as tanh
from sluice.equations import tile as tile
from sluice.equations import vecmat as vecmat
from sluice.equations import where as where
from sluice.errors import SluiceError as SluiceError
from sluice.extras import MissingExtraError as MissingExtraError
from sluice.insight import record as record
from sluice.run.kernels.extension import get_num_threads as get_num_threads
from sluice.run.kernels.extension import set_num_threads as set_num_threads
