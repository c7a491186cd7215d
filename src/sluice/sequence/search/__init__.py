"""Hyperparameter search with Optuna, by one process or by many on several machines."""

from sluice.sequence.search.results import SearchResult as SearchResult
from sluice.sequence.search.results import SearchTrial as SearchTrial
from sluice.sequence.search.space import SearchSpace as SearchSpace
from sluice.sequence.search.study import Proposal as Proposal
from sluice.sequence.search.study import Propose as Propose
from sluice.sequence.search.study import search as search
