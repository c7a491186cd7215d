"""What to write instead of what a step cannot contain, by the name of what was called."""

from __future__ import annotations

_ADVICE = {
    "shape size dim ndim ndimension numel nelement stride len": (
        "a value of the step has no shape, because the equations hold for layers of every size; "
        "widths are declared, as in State(width=...) or Map(width=...), and a number such as "
        "1/sqrt(n) can be an attribute of the cell"
    ),
    "dtype device type to float double half bfloat16 int long short bool cpu cuda type_as is_cuda "
    "requires_grad requires_grad_ grad is_leaf grad_fn retain_grad register_hook backward": (
        "the layer decides the type, the device and what learns; leave it out, and write "
        "detach(value) where no gradient should pass"
    ),
    "chunk split unbind narrow select index_select gather take tensor_split hsplit vsplit "
    "masked_select masked_fill scatter index_add take_along_dim": (
        "a value of the step cannot be cut into parts; declare one Gate(), Map() or State for "
        "each part, and for a choice between values write where(a > b, x, y)"
    ),
    "cat concat concatenate stack hstack vstack dstack column_stack append": (
        "values of the step cannot be joined; a map of joined values is the sum of a map of each: "
        "write self.gate(x, h) for x and h, or self.first(a) + self.second(b) with a Map() each"
    ),
    "view reshape flatten unflatten permute transpose T t mT H mH swapaxes movedim squeeze "
    "unsqueeze expand expand_as view_as reshape_as broadcast_to repeat tile roll flip ravel": (
        "a value of the step is one row of units and keeps that form; leave it out, and for parts "
        "of their own declare a Gate(), Map() or State for each"
    ),
    "sum mean prod std var norm amax amin argmax argmin cumsum cumprod softmax log_softmax "
    "logsumexp normalize sort topk median any all count_nonzero max min softmin nansum": (
        "over a row's units there are sum_units(a), mean_units(a), max_units(a), softmax(a) and "
        "cumulative_sum(a); for a weighted sum declare a Map(), for mean and variance a Norm()"
    ),
    "layer_norm group_norm batch_norm instance_norm rms_norm LayerNorm": (
        "declare norm = Norm() in the class and write self.norm(value)"
    ),
    "matmul mm bmm mv dot linear addmm addmv einsum bilinear inner outer baddbmm tensordot "
    "conv1d conv2d kron vdot multi_dot cdist ger": (
        "matrix products are declared: write gate = Gate() or map = Map() in the class and "
        "call it in the step, as in self.gate(x, h) or self.map(value)"
    ),
    "rand_like randn_like randint_like dropout dropout1d bernoulli normal alpha_dropout "
    "feature_dropout feature_alpha_dropout poisson multinomial rrelu gumbel_softmax": (
        "random values are declared: write noise = Noise(std=...) or Mask(rate=...) in the class "
        "and take it as an argument, as in step(self, x, h, noise)"
    ),
    "zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_tensor new_empty": (
        "write the number itself, as in 0.0 or 1.0; a number fits values of every width"
    ),
    "item numpy tolist array asarray as_tensor tensor from_numpy fromiter": (
        "a value of the step is no array of numbers: the step is read once, as equations; to see "
        "numbers record a layer, with sluice.record(layer), or step through them with cell.bind"
    ),
    "eq ne not_equal equal isclose allclose isnan isinf isfinite": (
        "equations compare with > < >= <= alone; for where(a == b, x, y) write "
        "where(a > b, y, where(b > a, y, x))"
    ),
    "logical_and logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_not "
    "bitwise_xor invert": (
        "conditions are joined by nesting: for `a > b and c > d` write where(a > b, where(c > d, "
        "x, y), y), for `or` where(a > b, x, where(c > d, x, y)), for `not` exchange x and y"
    ),
    "remainder fmod floor_divide mod": (
        "there is no remainder in equations; write the step with + - * / and where(a > b, x, y)"
    ),
    "embedding one_hot embedding_bag": (
        "a table is looked up before the layer: use torch.nn.Embedding on the input"
    ),
    "round floor ceil trunc": "write sluice's round(a) or floor(a)",
    "data": "write detach(value) for a value through which no gradient passes",
}
_BY_NAME = {name: advice for names, advice in _ADVICE.items() for name in names.split()}


def advise(called: str, operations: str) -> str:
    """What to write instead of ``called``; ``operations`` lists what there is."""
    if called in _BY_NAME:
        return _BY_NAME[called]
    if called.endswith("_") and not called.startswith("_"):
        return "a value of the step never changes in place; write a new one, as in x = x + y"
    return f"the operations are {operations}"


def explain_operand(value: object) -> str:
    """Why ``value`` is none of a step, and what to write instead."""
    if getattr(value, "requires_grad", False):
        return (
            "a parameter of one's own would stay as it is and never learn; declare a Vector() (or "
            "a Gate() or Map()) in the class, and the layer makes and trains it"
        )
    if hasattr(value, "ndim"):
        return (
            "equations hold for layers of every size, so a tensor or array of several numbers "
            "cannot be part of them; declare a Vector(), which learns, or write one number"
        )
    if hasattr(value, "explain_call"):
        return str(value.explain_call())
    if isinstance(value, list | tuple):
        return "a sequence is no value of the step; take one of its values, as in late[0]"
    found = repr(value) if value is None or isinstance(value, str) else f"a {type(value).__name__}"
    return f"equations may contain numbers, states, gates, Vector()s and masks, got {found}"
