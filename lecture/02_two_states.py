# %% [markdown] lang="en" tags=["slide"]
# # Two states
#
# The long short-term memory unit (Hochreiter & Schmidhuber 1997) has two:
#
# - the **cell state c**, the memory, which changes only linearly;
# - the **hidden state h**, what the unit shows of it, at this step and to the next one.
#
# **Gates** control what is written to the memory, kept in it and read from it.

# %% [markdown] lang="de" tags=["slide"]
# # Zwei Zustände
#
# Die LSTM-Einheit, das „lange Kurzzeitgedächtnis“ (Hochreiter & Schmidhuber 1997), hat zwei:
#
# - den **Zellzustand c**, das Gedächtnis, das sich nur linear ändert;
# - den **verborgenen Zustand h**, das, was die Einheit davon zeigt: in diesem Schritt und dem nächsten.
#
# **Gates** steuern, was in das Gedächtnis geschrieben, darin behalten und aus ihm gelesen wird.

# %% tags=["translate"] alt="The unit of an LSTM: the cell state c runs through on top; four boxes below read h and x" alt_de="Die Einheit eines LSTM: oben läuft der Zellzustand c hindurch, unten lesen vier Kästen h und x"
import torch

import sluice
from sluice.render import typeset_equations
from sluice.render.sketch import draw_sketch

lstm = sluice.cells.LSTM()
draw_sketch(lstm.graph, language="en")

# %% [markdown] lang="en" tags=["slide"]
# ## The unit in five moves
#
# 1. **Forget**: how much of the old cell state stays?
# 2. **Input**: what is new, and where does it go?
# 3. **Update** the cell state: one product and one sum.
# 4. Update the **hidden state**: what is shown?
# 5. **Output** y from the hidden state.

# %% [markdown] lang="de" tags=["slide"]
# ## Die Einheit in fünf Zügen
#
# 1. **Vergessen**: Wie viel vom alten Zellzustand bleibt?
# 2. **Eingabe**: Was ist neu, und wohin kommt es?
# 3. Zellzustand **aktualisieren**: ein Produkt und eine Summe.
# 4. **Verborgenen Zustand** aktualisieren: Was wird gezeigt?
# 5. **Ausgabe** y aus dem verborgenen Zustand.

# %% tags=["fold"] alt="The equations of the LSTM: input gate, forget gate, candidate, output gate, cell state, hidden state" alt_de="Die Gleichungen des LSTM: Input-Gate, Forget-Gate, Kandidat, Output-Gate, Zellzustand, verborgener Zustand"
typeset_equations(lstm.graph)

# %% [markdown] lang="en"
# The picture and the equations are derived from the same few lines of Python that the library computes with, the `step`
# of `sluice.cells.LSTM`; [Cells](../cells.md) shows how to write another one. Each gate has an input matrix, a recurrent
# matrix and two biases, as in PyTorch. A layer returns h at every step, and both states of the last one:

# %% [markdown] lang="de"
# Bild und Gleichungen sind aus denselben wenigen Zeilen Python abgeleitet, mit denen die Bibliothek rechnet, dem `step`
# von `sluice.cells.LSTM`; wie man eine andere Zelle schreibt, steht unter [Cells](../../cells.md). Jedes Gate hat eine
# Eingangsmatrix, eine rekurrente Matrix und zwei Bias-Vektoren, wie in PyTorch. Eine Schicht gibt h in jedem Schritt
# zurück und beide Zustände des letzten:

# %%
layer = sluice.nn.LSTM(input_size=3, hidden_size=5)
y, (h, c) = layer(torch.randn(7, 2, 3))  # time, batch, input
print(tuple(y.shape), tuple(h.shape), tuple(c.shape))  # (7, 2, 5) (1, 2, 5) (1, 2, 5)

# %% [markdown] lang="en" tags=["slide"]
# ## Everything inside can be recorded
#
# States, gates and candidate of every step, and after `backward()` their derivatives

# %% [markdown] lang="de" tags=["slide"]
# ## Alles darin lässt sich aufzeichnen
#
# Zustände, Gates und Kandidat in jedem Schritt, nach `backward()` auch ihre Ableitungen

# %% tags=["show"]
with sluice.record(layer) as tape:
    y, _ = layer(torch.randn(7, 2, 3))
    y.square().mean().backward()

print(*sorted(tape.layer(0)))
print(tape.c.shape, tape.gradient.forget.shape)

# %% [markdown] lang="en"
# The recorded values are those of the run itself: the equations hold among them to the last digit that float32 has.

# %% [markdown] lang="de"
# Die aufgezeichneten Werte sind die des Laufs selbst: Die Gleichungen gelten unter ihnen bis auf die letzte Stelle, die
# float32 hat.

# %%
before = torch.cat([torch.zeros_like(tape.c[:1]), tape.c[:-1]])
again = tape.forget * before + tape.input * tape.candidate
print(torch.allclose(again, tape.c, atol=1e-7))  # True
