# %% [markdown] lang="en" tags=["slide"]
# # Output gate, hidden state, output
#
# **o<sub>t</sub> = σ(W<sub>o</sub> [h<sub>t−1</sub>, x<sub>t</sub>] + b<sub>o</sub>)** proposes what to show
#
# **h<sub>t</sub> = o<sub>t</sub> ⊙ tanh(c<sub>t</sub>)** is the new hidden state
#
# **y<sub>t</sub> = σ(V h<sub>t</sub> + b<sub>y</sub>)** is the output: another non-linearity, of h alone

# %% [markdown] lang="de" tags=["slide"]
# # Output-Gate, verborgener Zustand, Ausgabe
#
# **o<sub>t</sub> = σ(W<sub>o</sub> [h<sub>t−1</sub>, x<sub>t</sub>] + b<sub>o</sub>)** schlägt vor, was gezeigt wird
#
# **h<sub>t</sub> = o<sub>t</sub> ⊙ tanh(c<sub>t</sub>)** ist der neue verborgene Zustand
#
# **y<sub>t</sub> = σ(V h<sub>t</sub> + b<sub>y</sub>)** ist die Ausgabe: noch eine Nichtlinearität, und zwar von h allein

# %% tags=["translate"] alt="The whole LSTM unit: from the cell state, tanh and the output gate lead to the hidden state" alt_de="Die ganze LSTM-Einheit: Vom Zellzustand führen tanh und Output-Gate zum verborgenen Zustand"
import torch

import sluice
from sluice.insight import plots
from sluice.render.sketch import draw_series

draw_series(sluice.cells.LSTM().graph, language="en")[3]

# %% [markdown] lang="en" tags=["slide"]
# ## Where are the matrices?
#
# The short form of the equations leaves some out. In the usual LSTM
#
# | step | matrix |
# |---|---|
# | output gate o | W<sub>o</sub>, as every gate |
# | tanh(c), the way from c to h | none: unit by unit |
# | output y | V, in the layer above: the *readout* |

# %% [markdown] lang="de" tags=["slide"]
# ## Wo sind die Matrizen?
#
# Die Kurzform der Gleichungen lässt einige weg. Im üblichen LSTM gilt:
#
# | Schritt | Matrix |
# |---|---|
# | Output-Gate o | W<sub>o</sub>, wie bei jedem Gate |
# | tanh(c), der Weg von c nach h | keine: Einheit für Einheit |
# | Ausgabe y | V, in der Schicht darüber: *Readout* |

# %% tags=["show"]
from torch import nn

layer, readout = sluice.nn.LSTM(28, 4), nn.Linear(4, 2)
projected = sluice.nn.LSTM(28, 8, proj_size=4)  # a matrix on the way from c to h
print("R, V:", tuple(layer.weight_hh_l0.shape), tuple(readout.weight.shape))
print("between c and h:", tuple(projected.weight_hr_l0.shape))

# %% [markdown] lang="en"
# Each non-linearity behind a matrix is a universal function approximator, so nothing is lost where the form is short; what
# must stay without one is the line of the cell state. `proj_size` gives the matrix between c and h that Sak, Senior &
# Beaufays (2014) added: the memory can then be wider than what is shown of it.

# %% [markdown] lang="de"
# Jede Nichtlinearität hinter einer Matrix kann jede Funktion annähern, deshalb verliert die Kurzform nichts; ohne
# bleiben muss nur die Linie des Zellzustands. `proj_size` ergibt die Matrix zwischen c und h, die Sak, Senior & Beaufays
# (2014) ergänzt haben: So kann das Gedächtnis breiter sein als das, was davon gezeigt wird.

# %% [markdown] lang="en" tags=["slide"]
# ## From memory to answer
#
# The cell state keeps, the hidden state shows, the output answers: the trained reader of quotations

# %% [markdown] lang="de" tags=["slide"]
# ## Vom Gedächtnis zur Antwort
#
# Der Zellzustand behält, der verborgene Zustand zeigt, die Ausgabe antwortet: das trainierte Netz für Zitate

# %% tags=["fold"] alt="Over the letters of a sentence: cell states, output gates, hidden states of four units, and the probability of being inside the quotation" alt_de="Über den Buchstaben eines Satzes: Zellzustände, Output-Gates und verborgene Zustände von vier Einheiten und die Wahrscheinlichkeit, im Zitat zu sein"
from sluice.lecture import encode_quotations, load_quotation_reader

TEXT = 'she said "keep this in mind" and went on'
reader = load_quotation_reader()  # four units, trained as in part 3
batch = encode_quotations(TEXT)
with torch.no_grad(), sluice.record(reader) as tape:
    y = reader(batch.inputs).softmax(-1)
plots.plot_heat_map(
    {"c": tape.c, "output gate": tape.output, "h": tape.h, "y, inside": y[..., 1:]},
    tokens=list(TEXT),
)

# %% [markdown] lang="en"
# Read from h by hand, y is what the model gives:

# %% [markdown] lang="de"
# Von Hand aus h berechnet, ist y das, was das Modell liefert:

# %%
V, b_y = reader.readout.weight, reader.readout.bias
by_hand = torch.softmax(tape.h @ V.T + b_y, dim=-1)
print(torch.allclose(by_hand, y, atol=1e-6))  # True
