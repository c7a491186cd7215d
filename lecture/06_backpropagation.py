# %% [markdown] lang="en" tags=["slide"]
# # Backpropagation through time
#
# Training goes as for the Elman cell:
#
# 1. **Unroll**: a copy of the cell for each step, all with the same weights.
# 2. **Backpropagate** through the unrolled network, from the last step to the first.
# 3. **Sum** the gradients of all copies: that is the gradient of the shared weights.

# %% [markdown] lang="de" tags=["slide"]
# # Backpropagation durch die Zeit
#
# Trainiert wird wie bei der Elman-Zelle (*backpropagation through time*, BPTT):
#
# 1. **Entrollen**: für jeden Schritt eine Kopie der Zelle, alle mit denselben Gewichten.
# 2. **Rückwärts** durch das entrollte Netz, vom letzten Schritt zum ersten.
# 3. Die Gradienten aller Kopien **summieren**: Das ist der Gradient der gemeinsamen Gewichte.

# %% tags=["translate"] alt="Three copies of an Elman cell in a row: the state goes from each to the next" alt_de="Drei Kopien einer Elman-Zelle hintereinander: Der Zustand geht von einer zur nächsten"
import torch
from torch import nn

import sluice
from sluice.render.sketch import draw_unrolled

draw_unrolled(sluice.cells.Elman().graph, 3, output=True, language="en")

# %% [markdown] lang="en" tags=["slide"]
# ## By hand
#
# For the Elman cell, with the loss L = ½ Σ<sub>t</sub> ‖h<sub>t</sub> − target<sub>t</sub>‖² (Werbos 1990)

# %% [markdown] lang="de" tags=["slide"]
# ## Von Hand
#
# Für die Elman-Zelle, mit dem Verlust L = ½ Σ<sub>t</sub> ‖h<sub>t</sub> − Ziel<sub>t</sub>‖² (Werbos 1990)

# %% tags=["show"]
torch.manual_seed(0)
layer = sluice.nn.RNN(3, 4).double()
x, target = torch.randn(12, 3).double(), torch.rand(12, 4).double()
h, _ = layer(x)
(0.5 * (h - target).square().sum()).backward()

R, states = layer.weight_hh_l0.detach(), torch.cat([torch.zeros(1, 4).double(), h.detach()])
grad_R, from_later = torch.zeros(4, 4).double(), torch.zeros(4).double()
for t in range(11, -1, -1):
    dh = (states[t + 1] - target[t]) + from_later  # this step's loss, and all later ones
    delta = dh * (1 - states[t + 1] ** 2)  # back through tanh
    grad_R += torch.outer(delta, states[t])  # this copy's share
    from_later = R.T @ delta  # on to the step before
print(torch.allclose(grad_R, layer.weight_hh_l0.grad))  # True

# %% [markdown] lang="en" tags=["slide"]
# ## The LSTM, unrolled
#
# Nothing else is needed: autograd through twelve copies in plain PyTorch, and the layer's own backward pass, give the same
# gradients.

# %% [markdown] lang="de" tags=["slide"]
# ## Das LSTM, entrollt
#
# Mehr braucht es nicht: Autograd durch zwölf Kopien in einfachem PyTorch und der Rückwärtslauf der Schicht ergeben
# dieselben Gradienten.

# %% tags=["show"]
layer = sluice.nn.LSTM(3, 4).double()
with sluice.record(layer, maps=True) as tape:
    y, _ = layer(x[:, None])
    y[-1].sum().backward()

W, R = (weight.detach().requires_grad_() for weight in (layer.weight_ih_l0, layer.weight_hh_l0))
b = (layer.bias_ih_l0 + layer.bias_hh_l0).detach()
h = c = torch.zeros(4).double()
for t in range(12):
    i, f, g, o = (W @ x[t] + R @ h + b).chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
h.sum().backward()
print(torch.allclose(R.grad, layer.weight_hh_l0.grad))  # True

# %% [markdown] lang="en"
# The sum over the copies can be taken apart again: how much does each step contribute to each gate's weights?

# %% [markdown] lang="de"
# Die Summe über die Kopien lässt sich wieder zerlegen: Wie viel trägt jeder Schritt zu den Gewichten jedes Gates bei?

# %%
parts = sluice.insight.step_weight_gradients(tape, steps=range(12))
gates = ("input", "forget", "candidate", "output")
summed = torch.cat([parts.contributions[f"weight_hh.{gate}"].sum(0) for gate in gates])
print(torch.allclose(summed, R.grad))  # True

# %% [markdown] lang="en" tags=["slide"]
# ## The gradient, itemised
#
# Row: the loss at one letter. Column: the letter whose cell state it reaches back to. The reader of quotations, trained

# %% [markdown] lang="de" tags=["slide"]
# ## Der Gradient, aufgeschlüsselt
#
# Zeile: der Verlust bei einem Buchstaben. Spalte: der Buchstabe, bis zu dessen Zellzustand er zurückreicht. Das
# trainierte Netz für Zitate

# %% tags=["fold"] alt="A triangle of colours, losses down, steps across: each loss reaches back to the last quotation mark and hardly further" alt_de="Ein Dreieck aus Farben, Verluste nach unten, Schritte nach rechts: Jeder Verlust reicht bis zum letzten Anführungszeichen zurück und kaum weiter"
from matplotlib import pyplot as plt

from sluice.lecture import encode_quotations, load_quotation_reader

TEXT = 'she said "keep this in mind" and went on'
reader = load_quotation_reader()  # four units, trained as in part 3
batch = encode_quotations(TEXT)
with sluice.record(reader) as tape:
    logits = reader(batch.inputs)
    losses = nn.functional.cross_entropy(logits[:, 0], batch.targets[:, 0], reduction="none")
itemised = sluice.insight.gradients_per_loss(tape.layer(0), losses, "c")[..., 0]

share = (itemised / itemised.amax(1, keepdim=True)).clamp(min=1e-4)
figure, axes = plt.subplots(figsize=(8, 6.2), layout="constrained")
image = axes.imshow(share, norm="log", cmap="magma", interpolation="nearest")
axes.set_xticks(range(len(TEXT)), TEXT, fontsize=8)
axes.set_yticks(range(len(TEXT)), TEXT, fontsize=8)
axes.set(xlabel="reaches back to the cell state at", ylabel="loss at")
bar = figure.colorbar(image, label="|dL/dc|, share of the largest in its row")

# %% [markdown] lang="en"
# The rows are what autograd gives for a single loss. The picture is that of RNNbow (Cashman et al. 2018). A loss reaches
# back to the last mark, where the forget gate closes: what lies before it does not matter any more.

# %% [markdown] lang="de"
# Jede Zeile ist das, was Autograd für einen einzelnen Verlust ergibt. Das Bild ist das von RNNbow (Cashman et al. 2018).
# Ein Verlust reicht bis zum letzten Anführungszeichen zurück, wo sich das Forget-Gate schließt: Was davor liegt, zählt
# nicht mehr.

# %%
with sluice.record(reader) as tape:
    logits = reader(batch.inputs)
    nn.functional.cross_entropy(logits[20], batch.targets[20]).backward()
row = tape.gradient.c[:, 0].norm(dim=-1)
print(torch.allclose(row, itemised[20].to(row), atol=1e-7))  # True

# %% [markdown] lang="en" tags=["slide"]
# ## Two ways back
#
# - along the line of c: the product of the forget gates, ∏ f
# - through h and the gates: everything else
#
# For the unit that keeps, nearly all of the gradient goes the first way.

# %% [markdown] lang="de" tags=["slide"]
# ## Zwei Wege zurück
#
# - entlang der Linie von c: das Produkt der Forget-Gates, ∏ f
# - durch h und die Gates: alles andere
#
# Bei der Einheit, die behält, nimmt fast der ganze Gradient den ersten Weg.

# %% tags=["fold"] alt="Two curves over the steps of a quotation, of the unit that keeps: the product of its forget gates, and the whole derivative of its last cell state" alt_de="Zwei Kurven über den Schritten eines Zitats, für die Einheit, die behält: das Produkt ihrer Forget-Gates und die ganze Ableitung ihres letzten Zellzustands"
inside = encode_quotations('"keep all of this in mind until the end of it').inputs
paths = sluice.insight.state_gradient_paths(reader.layer, inside)
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
axes.plot(paths.direct[:, 0, 0], label="along c alone: product of forget gates")
axes.plot(paths.diagonal[:, 0, 0], "--", label="through all paths")
axes.set(xlabel="step", ylabel="d last c / d c, unit 0", ylim=(0, None))
axes.grid(alpha=0.3)
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)

# %% [markdown] lang="en" tags=["slide"]
# ## Truncated backpropagation through time
#
# Long sequences are cut into chunks of k steps. The *state* goes on from chunk to chunk, the *gradient* does not.
#
# What is saved in memory and time is lost in the gradient: nothing is learned about what lies more than k steps back.

# %% [markdown] lang="de" tags=["slide"]
# ## Abgeschnittene Backpropagation durch die Zeit
#
# Lange Folgen werden in Stücke von k Schritten geschnitten (*truncated BPTT*). Der *Zustand* geht von Stück zu Stück
# weiter, der *Gradient* nicht.
#
# Was an Speicher und Zeit gespart wird, fehlt im Gradienten: Über das, was mehr als k Schritte zurückliegt, wird nichts
# gelernt.

# %% tags=["fold"] alt="The cosine between the truncated and the full gradient against the length of the chunks: it rises to 1 at the full length" alt_de="Der Kosinus zwischen abgeschnittenem und vollem Gradienten über der Länge der Stücke: Er steigt bis auf 1 bei voller Länge"
from sluice.lecture import QuotationReader, draw_quotations, train_quotation_reader

inputs, targets = draw_quotations(60, 32, seed=1)


def find_gradient(chunk):
    """The gradient of the recurrent weights, with the state detached every ``chunk`` steps."""
    halfway.zero_grad()
    state = None
    for x, wanted in zip(inputs.split(chunk), targets.split(chunk)):
        h, state = halfway.layer(x, state)
        loss = nn.functional.cross_entropy(halfway.readout(h).flatten(0, 1), wanted.flatten())
        (loss * len(x) / len(inputs)).backward()
        state = tuple(part.detach() for part in state)
    return halfway.layer.weight_hh_l0.grad.clone().flatten()


chunks = [1, 2, 3, 5, 10, 20, 30, 60]
torch.manual_seed(0)
halfway = QuotationReader(sluice.nn.LSTM(28, 4, forget_bias=3.0))
train_quotation_reader(halfway, updates=60)
full = find_gradient(60)
cosines = [nn.functional.cosine_similarity(find_gradient(k), full, dim=0).item() for k in chunks]
assert cosines[-1] > 0.999999  # one chunk is the full gradient
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
axes.semilogx(chunks, cosines, "o-")
axes.set_xticks(chunks, chunks)
axes.minorticks_off()
axes.grid(alpha=0.3)
axes.set(xlabel="steps in a chunk, k", ylabel="cosine with the full gradient")
axes.spines[["top", "right"]].set_visible(False)

# %% [markdown] lang="en"
# `sluice train text.txt --bptt 50` cuts into chunks of 50; `TrainingConfig(bptt=(k1, k2))` updates every k1 steps and goes
# k2 back: see [truncated BPTT](../training.md#truncated-bptt).

# %% [markdown] lang="de"
# `sluice train text.txt --bptt 50` schneidet in Stücke von 50; `TrainingConfig(bptt=(k1, k2))` ändert die Gewichte alle
# k1 Schritte und geht k2 Schritte zurück: siehe [Truncated BPTT](../../training.md#truncated-bptt).
