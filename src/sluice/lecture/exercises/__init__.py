"""Exercises along the lecture: a student writes a function, a check says what is right or wrong.

Each exercise is a function to write. ``check_NAME(function)`` calls it and compares what it returns
with independent values: torch's cells, autograd, or the definition written out. It returns a
`Feedback`, which is true where the answer is right and says in a sentence what is not. `hint` and
`solution` help. All speak German with ``language="de"``.
"""

from sluice.lecture.exercises.catalogue import Exercise as Exercise
from sluice.lecture.exercises.catalogue import UnknownExerciseError as UnknownExerciseError
from sluice.lecture.exercises.catalogue import hint as hint
from sluice.lecture.exercises.catalogue import list_exercises as list_exercises
from sluice.lecture.exercises.catalogue import solution as solution
from sluice.lecture.exercises.cells import check_elman_step as check_elman_step
from sluice.lecture.exercises.cells import check_forget_gate as check_forget_gate
from sluice.lecture.exercises.cells import check_lstm_step as check_lstm_step
from sluice.lecture.exercises.cells import check_output as check_output
from sluice.lecture.exercises.feedback import Feedback as Feedback
from sluice.lecture.exercises.gradients import check_bptt_step as check_bptt_step
from sluice.lecture.exercises.gradients import check_gradient_norm as check_gradient_norm
from sluice.lecture.exercises.gradients import check_truncated_gradient as check_truncated_gradient
from sluice.lecture.exercises.labelling import check_labels as check_labels
from sluice.lecture.exercises.memory import check_count_parameters as check_count_parameters
from sluice.lecture.exercises.memory import check_gates_for as check_gates_for
