"""Hidden states put into groups until the group and a symbol tell the next group."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from sluice.insight.machines.prefix_states import PrefixStates
from sluice.insight.machines.state_machine import StateMachineError


def group_states(data: PrefixStates, tolerance: float, limit: int) -> Tensor:
    """A group for each prefix: first by what the model answers, then split where it must be.

    A group is split where the same symbol leads from it into several groups: its members go by
    where they lead, those of which that is not known with the nearest hidden state of which it is.

    Args:
        data: What was recorded.
        tolerance: Which share of a group may lead elsewhere than the rest.
        limit: The most groups.

    Returns:
        ``(prefixes,)``, int64.

    Raises:
        StateMachineError: more than ``limit`` groups are needed.
    """
    groups: Tensor = data.classes.unique(return_inverse=True)[1]
    while (found := _find_conflict(data, groups, tolerance)) is not None:
        group, symbol = found
        if int(groups.max()) + 1 >= limit:
            raise StateMachineError(
                f"more than {limit} states are needed to tell what follows on these words: the "
                "model counts without a bound or has not learned a finite machine; train longer, "
                "raise limit or tolerance, or give shorter words"
            )
        groups = _split(data, groups, group, symbol, tolerance)
    return groups


def find_targets(
    data: PrefixStates, groups: Tensor, members: Tensor, symbol: int
) -> tuple[Tensor, Tensor]:
    """Where ``symbol`` leads from members of a group: the members of which it is known, and groups.

    A prefix that was not read further is known by its class alone: it counts as one of the group
    that the others of its class are in, and not at all where those are in several.
    """
    members = members[data.following[members, symbol] >= 0]
    following = data.following[members, symbol]
    targets, classes = groups[following].clone(), data.classes[following]
    ends = (data.following[following] < 0).all(1)
    certain = torch.ones_like(ends)
    for one in classes[ends].unique():
        of_class = ends & (classes == one)
        own = targets[~ends & (classes == one)].unique()
        if len(own) > 1:
            certain[of_class] = False
        else:
            targets[of_class] = own[0] if len(own) else targets[of_class].mode().values
    return members[certain], targets[certain]


def _find_conflict(data: PrefixStates, groups: Tensor, tolerance: float) -> tuple[int, int] | None:
    """The group and symbol of which most members lead elsewhere than the rest; None for none."""
    worst, found = 0, None
    for group in range(int(groups.max()) + 1):
        members = (groups == group).nonzero().squeeze(1)
        for symbol in range(data.following.shape[1]):
            targets = find_targets(data, groups, members, symbol)[1]
            if len(targets):
                elsewhere = len(targets) - int(targets.bincount().max())
                if elsewhere > max(tolerance * len(targets), worst):
                    worst, found = elsewhere, (group, symbol)
    return found


def _split(data: PrefixStates, groups: Tensor, group: int, symbol: int, tolerance: float) -> Tensor:
    members = (groups == group).nonzero().squeeze(1)
    known, targets = find_targets(data, groups, members, symbol)
    most = Counter(targets.tolist()).most_common()
    # Those that are too few to be a group join the nearest.
    kept = [one for one, n in most if n > tolerance * len(known)]
    kept = kept if len(kept) > 1 else [one for one, _ in most[:2]]
    some = torch.isin(targets, torch.tensor(kept))
    anchors, labels = known[some], targets[some]
    part = labels[_find_nearest(data.states[members], data.states[anchors])]
    part[torch.isin(members, anchors)] = labels  # both are in order
    result, count = groups.clone(), int(groups.max()) + 1
    for number, target in enumerate(kept[1:]):
        result[members[part == target]] = count + number
    return result


def _find_nearest(points: Tensor, anchors: Tensor) -> Tensor:
    return torch.cat([torch.cdist(some, anchors).argmin(1) for some in points.split(1024)])
