# %% [markdown] lang="en" tags=["slide"]
# # The forget gate
#
# **f<sub>t</sub> = σ(W<sub>f</sub> [h<sub>t−1</sub>, x<sub>t</sub>] + b<sub>f</sub>)**
#
# - a sigmoid: every number lies between 0, *delete*, and 1, *keep*
# - it reads the concatenation of the hidden state and the input
# - it is multiplied with the old cell state, unit by unit

# %% [markdown] lang="de" tags=["slide"]
# # Das Forget-Gate
#
# **f<sub>t</sub> = σ(W<sub>f</sub> [h<sub>t−1</sub>, x<sub>t</sub>] + b<sub>f</sub>)**
#
# - ein Sigmoid: Jede Zahl liegt zwischen 0, *löschen*, und 1, *behalten*
# - es liest die Verkettung von verborgenem Zustand und Eingabe
# - es wird mit dem alten Zellzustand multipliziert, Einheit für Einheit

# %% tags=["translate"] alt="The LSTM's unit with the part of the forget gate drawn, the rest pale" alt_de="Die LSTM-Einheit, der Teil des Forget-Gates gezeichnet, der Rest blass"
import torch

import sluice
from sluice.insight import plots
from sluice.render.sketch import draw_series

draw_series(sluice.cells.LSTM().graph, language="en")[0]

# %% [markdown] lang="en" tags=["slide"]
# ## [h, x] or two matrices?
#
# Drawings concatenate: **W [h, x]**. Libraries keep two matrices: **R h + W x**.
#
# It is the same sum: put the columns of R and of W side by side.

# %% [markdown] lang="de" tags=["slide"]
# ## [h, x] oder zwei Matrizen?
#
# Zeichnungen verketten: **W [h, x]**. Bibliotheken halten zwei Matrizen: **R h + W x**.
#
# Es ist dieselbe Summe: Man stellt die Spalten von R und von W nebeneinander.

# %% tags=["show"]
torch.manual_seed(0)
layer = sluice.nn.LSTM(3, 5).double()
x, h = torch.randn(3).double(), torch.randn(5).double()

rows = slice(5, 10)  # torch's order of the gates: input, forget, candidate, output
R, W = layer.weight_hh_l0[rows], layer.weight_ih_l0[rows]
b = layer.bias_hh_l0[rows] + layer.bias_ih_l0[rows]

two_matrices = torch.sigmoid(R @ h + W @ x + b)
concatenated = torch.sigmoid(torch.cat([R, W], dim=1) @ torch.cat([h, x]) + b)
difference = (two_matrices - concatenated).abs().max()
print(bool(difference < 1e-15))  # True

# %% [markdown] lang="en"
# Both are what the layer computes. Here it makes a single step from h and a cell state of zeros, and its forget gate is
# recorded:

# %% [markdown] lang="de"
# Beides ist, was die Schicht rechnet. Hier macht sie einen einzigen Schritt von h und einem Zellzustand aus Nullen aus,
# und ihr Forget-Gate wird aufgezeichnet:

# %%
with sluice.record(layer) as tape:
    layer(x[None, None], (h[None, None], torch.zeros(1, 1, 5).double()))
print(torch.allclose(tape.forget[0, 0], concatenated))  # True

# %% [markdown] lang="en" tags=["slide"]
# ## A gate at work
#
# A layer of four units reads letters and says at each one: *inside a quotation, or outside?*

# %% [markdown] lang="de" tags=["slide"]
# ## Ein Gate bei der Arbeit
#
# Eine Schicht aus vier Einheiten liest Buchstaben und sagt bei jedem: *innerhalb eines Zitats oder außerhalb?*

# %% tags=["fold"] alt="Heat map of the forget gates of four units over the letters of a sentence with a quotation" alt_de="Heatmap der Forget-Gates von vier Einheiten über den Buchstaben eines Satzes mit einem Zitat"
from sluice.lecture import QuotationReader, encode_quotations, train_quotation_reader

TEXT = 'she said "keep this in mind" and went on'
torch.manual_seed(3)
reader = QuotationReader(sluice.nn.LSTM(28, 4, forget_bias=3.0))
right = train_quotation_reader(reader)
with torch.no_grad(), sluice.record(reader) as tape:
    reader(encode_quotations(TEXT).inputs)
plots.plot_heat_map(tape, ["forget"], tokens=list(TEXT))

# %% [markdown] lang="en" tags=["slide"]
# ## What if it never forgets? Never keeps?
#
# The same trained layer with its forget gate held open, and shut

# %% [markdown] lang="de" tags=["slide"]
# ## Und wenn es nie vergisst? Nie behält?
#
# Dieselbe trainierte Schicht, das Forget-Gate offen oder geschlossen festgehalten

# %% tags=["show"]
from sluice.lecture import draw_quotations

inputs, targets = draw_quotations(100, 64, seed=1000)


def score():
    with torch.no_grad():
        return (reader(inputs).argmax(-1) == targets).double().mean().item()


with sluice.insight.clamp_gates(reader.layer, forget=1.0):
    never_forgets = score()
with sluice.insight.clamp_gates(reader.layer, forget=0.0):
    never_keeps = score()
print(f"as trained {score():.0%}, never forgets {never_forgets:.0%}, never keeps {never_keeps:.0%}")
assert score() > 0.95 > max(never_forgets, never_keeps)

# %% [markdown] lang="en" tags=["slide"]
# # Input gate and candidate
#
# **i<sub>t</sub> = σ(W<sub>i</sub> [h<sub>t−1</sub>, x<sub>t</sub>] + b<sub>i</sub>)** selects *where* to write
#
# **c̃<sub>t</sub> = tanh(W<sub>c</sub> [h<sub>t−1</sub>, x<sub>t</sub>] + b<sub>c</sub>)** proposes *what* to write
#
# Their product i ⊙ c̃ is what is written.

# %% [markdown] lang="de" tags=["slide"]
# # Input-Gate und Kandidat
#
# **i<sub>t</sub> = σ(W<sub>i</sub> [h<sub>t−1</sub>, x<sub>t</sub>] + b<sub>i</sub>)** wählt, *wohin* geschrieben wird
#
# **c̃<sub>t</sub> = tanh(W<sub>c</sub> [h<sub>t−1</sub>, x<sub>t</sub>] + b<sub>c</sub>)** schlägt vor, *was* geschrieben wird
#
# Geschrieben wird ihr Produkt i ⊙ c̃.

# %% tags=["translate"] alt="The LSTM's unit with the forget gate, the input gate and the candidate drawn" alt_de="Die LSTM-Einheit mit Forget-Gate, Input-Gate und Kandidat"
draw_series(sluice.cells.LSTM().graph, language="en")[1]

# %% [markdown] lang="en" tags=["slide"]
# ## Selected, proposed, written
#
# Between the marks little is written: where i is near 0, the candidate may say what it likes.

# %% [markdown] lang="de" tags=["slide"]
# ## Ausgewählt, vorgeschlagen, geschrieben
#
# Zwischen den Anführungszeichen wird wenig geschrieben: Wo i nahe 0 ist, kann der Kandidat vorschlagen, was er will.

# %% tags=["fold"] alt="Heat maps over the letters of the sentence: the input gate, the candidate, and their product" alt_de="Heatmaps über den Buchstaben des Satzes: Input-Gate, Kandidat und ihr Produkt"
values = {
    "input gate": tape.input,
    "candidate": tape.candidate,
    "written": tape.input * tape.candidate,
}
plots.plot_heat_map(values, tokens=list(TEXT))
