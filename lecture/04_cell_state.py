# %% [markdown] lang="en" tags=["slide"]
# # The update is linear
#
# **c<sub>t</sub> = f<sub>t</sub> ⊙ c<sub>t−1</sub> + i<sub>t</sub> ⊙ c̃<sub>t</sub>**
#
# - one multiplication and one addition: no matrix, no activation function on the way
# - along it, ∂c<sub>t</sub>/∂c<sub>t−1</sub> = f<sub>t</sub>

# %% [markdown] lang="de" tags=["slide"]
# # Die Aktualisierung ist linear
#
# **c<sub>t</sub> = f<sub>t</sub> ⊙ c<sub>t−1</sub> + i<sub>t</sub> ⊙ c̃<sub>t</sub>**
#
# - eine Multiplikation und eine Addition: keine Matrix, keine Aktivierungsfunktion auf diesem Weg
# - entlang dieses Wegs gilt ∂c<sub>t</sub>/∂c<sub>t−1</sub> = f<sub>t</sub>

# %% tags=["translate"] alt="The LSTM's unit, the line of the cell state drawn from left to right with one product and one sum on it" alt_de="Die LSTM-Einheit: Die Linie des Zellzustands läuft von links nach rechts, darauf ein Produkt und eine Summe"
import torch

import sluice
from sluice.insight import plots
from sluice.render.sketch import draw_series

draw_series(sluice.cells.LSTM().graph, language="en")[2]

# %% [markdown] lang="en"
# With forget gates held open and the other paths cut, the gradient of the cell state at the first of 200 steps is what it
# is at the last, exactly. Hochreiter and Schmidhuber call this the *constant error carousel*.

# %% [markdown] lang="de"
# Hält man die Forget-Gates offen und kappt die anderen Wege, so ist der Gradient des Zellzustands im ersten von 200
# Schritten genau der des letzten. Hochreiter und Schmidhuber nennen das *constant error carousel*.

# %%
layer = sluice.nn.LSTM(2, 4)
with torch.no_grad():
    layer.weight_hh_l0.zero_()  # nothing comes back through the gates
    layer.bias_ih_l0[4:8] = 100.0  # the forget gate's rows: f is 1

with sluice.record(layer) as tape:
    y, (h, c) = layer(torch.randn(200, 1, 2))
    c.sum().backward()
ends = tape.gradient.c[[0, 199]].round(decimals=3).unique()
print(round(tape.forget.min().item(), 3), *ends.tolist())  # 1.0 1.0

# %% [markdown] lang="en" tags=["slide"]
# ## “The cell state can be constant over many steps”
#
# A trained unit that is. The layer of four units that marks quotations was not told to keep anything; one of its units
# holds a level from mark to mark.

# %% [markdown] lang="de" tags=["slide"]
# ## „Der Zellzustand kann über viele Schritte konstant bleiben“
#
# Eine trainierte Einheit, die das tut. Niemand hat der Schicht aus vier Einheiten, die Zitate erkennt, aufgetragen,
# etwas zu behalten; eine ihrer Einheiten hält von Zeichen zu Zeichen ein Niveau.

# %% tags=["fold"] alt="The cell state of one unit over a sentence with two quotations: level outside, a jump at each mark, level inside" alt_de="Der Zellzustand einer Einheit über einem Satz mit zwei Zitaten: gleichbleibend außerhalb, ein Sprung bei jedem Anführungszeichen, gleichbleibend innerhalb"
from sluice.lecture import draw_quotations, encode_quotations, load_quotation_reader

reader = load_quotation_reader()  # four units, trained as in part 3

# Where no mark is read, which unit changes least, compared with its jumps at the marks?
inputs, _ = draw_quotations(100, 64, seed=1000)
with torch.no_grad(), sluice.record(reader) as tape:
    reader(inputs)
change, mark = tape.c.diff(dim=0).abs(), inputs[1:, :, 0] == 1
steadiness = change[~mark].mean(0) / change[mark].mean(0)
unit = int(steadiness.argmin())

TEXT = 'he said "the cell state can be constant" and "it was" so'
with torch.no_grad(), sluice.record(reader) as tape:
    reader(encode_quotations(TEXT).inputs)
plots.plot_traces(tape, "c", units=[unit], tokens=list(TEXT))

# %%
start, stop = TEXT.index('"'), TEXT.index('"', TEXT.index('"') + 1)
held = tape.c[start:stop, 0, unit]
print(f"{stop - start} steps in the first quotation: from {held[0]:.2f} to {held[-1]:.2f}")
print(f"between marks it changes by {steadiness[unit]:.1%} of its jump at a mark")
spans = sluice.insight.find_constant_spans(tape.c[..., [unit]], tolerance=0.1)
print(f"constant within a tenth of its range for {len(spans[0])} steps at a time")
assert steadiness[unit] < 0.1 and len(spans[0]) > 10

# %% [markdown] lang="en" tags=["slide"]
# ## How it keeps
#
# Inside, the forget gate is open and the input gate is shut, so that the product of forget gates, which
# is the gradient along the line of the cell state, stays near 1. A mark closes the one or opens the other.

# %% [markdown] lang="de" tags=["slide"]
# ## Wie sie behält
#
# Im Zitat ist das Forget-Gate offen und das Input-Gate geschlossen. So bleibt das Produkt der
# Forget-Gates, der Gradient entlang der Linie des Zellzustands, nahe 1. Ein Anführungszeichen schließt das eine oder
# öffnet das andere.

# %% tags=["fold"] alt="Forget gate and input gate of the same unit over the sentence" alt_de="Forget-Gate und Input-Gate derselben Einheit über dem Satz"
gates = torch.stack([tape.forget[:, 0, unit], tape.input[:, 0, unit]], dim=-1)
picture = plots.plot_traces(gates, units=[0, 1], tokens=list(TEXT))
axes = picture.axes[0]
axes.set_ylabel("gate")
for line, name in zip(axes.lines, ("forget gate", "input gate")):
    line.set_label(name)
axes.legend(frameon=False, loc="center", fontsize=8)
picture

# %% alt="The sentence, each letter on a colour for the cell state of that unit: the quotations stand out" alt_de="Der Satz, jeder Buchstabe auf einer Farbe für den Zellzustand der Einheit: Die Zitate heben sich ab" tags=["quiet", "fold"]
plots.plot_text(list(TEXT), tape.c[:, 0, unit], label=f"c of unit {unit}")

# %% [markdown] lang="en"
# Karpathy, Johnson & Fei-Fei (2015) found such a unit, and one that counts the letters of a line, in a large model of
# source code. In a model of the library they are found by `sluice look`: see [a report on a model](../looking.md).

# %% [markdown] lang="de"
# Karpathy, Johnson & Fei-Fei (2015) fanden eine solche Einheit, und eine, die die Zeichen einer Zeile zählt, in einem
# großen Modell von Quelltext. In eigenen Modellen findet sie `sluice look`: siehe [A report on a model](../../looking.md).
