# %% [markdown] lang="en" tags=["slide"]
# # The simple cell and its vanishing gradient
#
# One state, h. At every step all of it goes through a matrix and a squashing function:
#
# **h<sub>t</sub> = tanh(W x<sub>t</sub> + R h<sub>t−1</sub> + b)**
#
# The output reads h. (Elman 1990)

# %% [markdown] lang="de" tags=["slide"]
# # Die einfache Zelle und ihr verschwindender Gradient
#
# Ein einziger Zustand: h. In jedem Schritt geht er ganz durch eine Matrix und eine sättigende Funktion:
#
# **h<sub>t</sub> = tanh(W x<sub>t</sub> + R h<sub>t−1</sub> + b)**
#
# Die Ausgabe liest h. (Elman 1990)

# %% tags=["translate"] alt="The unit of an Elman cell: x and the old h enter one tanh; its result is the new h" alt_de="Die Einheit einer Elman-Zelle: x und das alte h gehen in ein tanh, sein Ergebnis ist das neue h"
import torch

import sluice
from sluice.render.sketch import draw_sketch

draw_sketch(sluice.cells.Elman().graph, language="en")

# %% [markdown] lang="en" tags=["slide"]
# ## A product of Jacobians
#
# The influence of step t on the last step T is a product, one factor for each step between:
#
# **∂h<sub>T</sub>/∂h<sub>t</sub> = J<sub>T</sub> · … · J<sub>t+1</sub>, with J<sub>s</sub> = diag(1 − h<sub>s</sub>²) R**
#
# Where the factors contract, it *vanishes* exponentially; where they stretch, it *explodes*.

# %% [markdown] lang="de" tags=["slide"]
# ## Ein Produkt von Jacobi-Matrizen
#
# Der Einfluss von Schritt t auf den letzten Schritt T ist ein Produkt, ein Faktor für jeden Schritt dazwischen:
#
# **∂h<sub>T</sub>/∂h<sub>t</sub> = J<sub>T</sub> · … · J<sub>t+1</sub>, mit J<sub>s</sub> = diag(1 − h<sub>s</sub>²) R**
#
# Ziehen die Faktoren zusammen, *verschwindet* es exponentiell; strecken sie, *explodiert* es.

# %% [markdown] lang="en"
# The product can be written down in a loop. The library computes the same Jacobians from the cell's equations, for any
# cell. Nothing in this cell can protect a value: every step mixes all of h and squashes it.

# %% [markdown] lang="de"
# Das Produkt lässt sich als Schleife hinschreiben. Die Bibliothek berechnet dieselben Jacobi-Matrizen aus den
# Gleichungen der Zelle, und zwar für jede Zelle. Nichts kann hier einen Wert schützen: Jeder Schritt mischt ganz h und
# drückt es zusammen.

# %% tags=["show"]
torch.manual_seed(0)
cell = sluice.nn.RNN(4, 16).double()
x = torch.randn(61, 1, 4).double()
h, R = cell(x)[0][:, 0].detach(), cell.weight_hh_l0.detach()

product, sizes = torch.eye(16).double(), []
for t in range(60, 0, -1):
    product = product @ (torch.diag(1 - h[t] ** 2) @ R)
    sizes.append(product.norm().item())
for k in (1, 20, 60):
    print(f"{k:2} steps back: {sizes[k - 1]:.0e}")

# %% tags=["quiet"]
jacobians = sluice.insight.step_jacobians(cell, x)[:, 0]
whole = torch.linalg.multi_dot(list(jacobians[1:].flip(0)))
print(torch.allclose(whole, product))  # True

# %% [markdown] lang="en" tags=["slide"]
# ## What that does to learning
#
# A symbol at the first step, noise for 60 steps, then: *which symbol was it?*
#
# The derivative of the loss with respect to the state, recorded at every step, before and after training

# %% [markdown] lang="de" tags=["slide"]
# ## Was das für das Lernen heißt
#
# Ein Symbol im ersten Schritt, 60 Schritte Rauschen, dann die Frage: *Welches Symbol war es?*
#
# Die Ableitung des Verlusts nach dem Zustand, in jedem Schritt aufgezeichnet, vor und nach dem Training

# %% tags=["fold"] alt="Norm of the gradient over 60 steps, on a logarithmic axis: that of the Elman cell falls by many orders of magnitude towards the first step, that of the LSTM stays nearly level" alt_de="Norm des Gradienten über 60 Schritte, logarithmisch: bei der Elman-Zelle fällt sie zum ersten Schritt hin um viele Größenordnungen, beim LSTM bleibt sie fast gleich"
from sluice.insight import plots
from sluice.lecture import Recaller, draw_symbols, train_recaller

LAG = 60


def measure_flow(model, state):
    """The norm of dL/d state at every step, mean over a batch."""
    inputs, targets = draw_symbols(LAG, seed=1000)
    with sluice.record(model) as tape:
        torch.nn.functional.cross_entropy(model(inputs)[-1], targets[0]).backward()
    return sluice.insight.gradient_flow(tape.layer(0), state).mean(1)


norms, accuracy = {}, {}
for name, make_layer, state in (
    ("Elman", lambda: sluice.nn.RNN(4, 16), "h"),
    ("LSTM", lambda: sluice.nn.LSTM(4, 16, chrono=2 * LAG), "c"),
):
    torch.manual_seed(1)
    model = Recaller(make_layer())
    norms[f"{name}, {state}, before"] = measure_flow(model, state)
    accuracy[name] = train_recaller(model, LAG, updates=400)
    norms[f"{name}, {state}, after"] = measure_flow(model, state)
plots.plot_gradient_flow(norms, label="norm of the gradient of the state")

# %%
for name, share in accuracy.items():
    print(f"{name}: {share:.0%} of the symbols recalled; chance is 25%")

# %% [markdown] lang="en"
# Here the LSTM starts with its forget gates nearly open (`chrono=120`, Tallec & Ollivier 2018). With the usual start they
# are half open, and its gradient vanishes too, until the gates have learned to open. Where a gradient has vanished,
# nothing can be learned from it: the model does not know that the first step mattered. After training the LSTM's line
# may lie low, because its loss is nearly 0; what counts is that the line is level.
#
# [Comparing](../comparing.md) repeats this at longer and longer lags, for any cells. The next part opens the LSTM.

# %% [markdown] lang="de"
# Das LSTM beginnt hier mit fast offenen Forget-Gates (`chrono=120`, Tallec & Ollivier 2018). Beim üblichen Start stehen
# sie halb offen, und auch sein Gradient verschwindet, bis die Gates gelernt haben, sich zu öffnen. Wo ein Gradient
# verschwunden ist, lässt sich nichts mehr lernen: Das Modell erfährt nicht, dass es auf den ersten Schritt ankam. Nach
# dem Training kann die Linie des LSTM tief liegen, weil sein Verlust fast 0 ist; entscheidend ist, dass sie eben ist.
#
# [Comparing](../../comparing.md) wiederholt das für beliebige Zellen und immer längere Abstände. Der nächste Teil öffnet
# das LSTM.
