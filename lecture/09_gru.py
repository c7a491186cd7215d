# %% [markdown] lang="en" tags=["slide"]
# # The next step: the gated recurrent unit
#
# Cho et al. (2014): one state, two gates, no output gate
#
# - **update gate z**: keeps and writes at once, z and 1 − z
# - **reset gate r**: how much of the past the candidate sees

# %% [markdown] lang="de" tags=["slide"]
# # Der nächste Schritt: die Gated Recurrent Unit
#
# Cho et al. (2014): ein Zustand, zwei Gates, kein Output-Gate
#
# - **Update-Gate z**: behält und schreibt zugleich, z und 1 − z
# - **Reset-Gate r**: wie viel der Kandidat von der Vergangenheit sieht

# %% tags=["translate"] alt="The unit of a GRU: one state line; update gate, reset gate and candidate" alt_de="Die Einheit einer GRU: eine Linie des Zustands; Update-Gate, Reset-Gate und Kandidat"
import torch

import sluice
from sluice.lecture import Recaller, train_recaller
from sluice.render import typeset_equations
from sluice.render.sketch import draw_sketch

draw_sketch(sluice.cells.GRU().graph, language="en")

# %% [markdown] lang="en" tags=["slide"]
# ## Its equations
#
# h is its own memory: along it, ∂h<sub>t</sub>/∂h<sub>t−1</sub> is z, as it is f in the LSTM.

# %% [markdown] lang="de" tags=["slide"]
# ## Ihre Gleichungen
#
# h ist zugleich das Gedächtnis: Entlang von h ist ∂h<sub>t</sub>/∂h<sub>t−1</sub> gleich z, wie im LSTM gleich f.

# %% tags=["fold"] alt="The equations of the GRU" alt_de="Die Gleichungen der GRU"
typeset_equations(sluice.cells.GRU().graph)

# %% [markdown] lang="en"
# Here the update gate keeps (z near 1: nothing changes), as in PyTorch; Cho et al. write it the other way round in some
# of their papers. Look before you read a gate.

# %% [markdown] lang="de"
# Hier behält das Update-Gate (z nahe 1: nichts ändert sich), wie in PyTorch; manche Arbeiten schreiben es umgekehrt. Vor
# dem Ablesen eines Gates lohnt ein Blick in die Gleichungen.

# %% [markdown] lang="en" tags=["slide"]
# ## Fewer parameters, the same task
#
# With n inputs and m units every learned box has m(n + m) weights and, in PyTorch, two biases of m. Elman has one box, the
# GRU three, the LSTM four. The task: recall a symbol after 60 steps of noise.

# %% [markdown] lang="de" tags=["slide"]
# ## Weniger Parameter, dieselbe Aufgabe
#
# Bei n Eingängen und m Einheiten hat jeder gelernte Kasten m(n + m) Gewichte und, in PyTorch, zwei Bias-Vektoren der
# Länge m. Elman hat einen Kasten, die GRU drei, das LSTM vier. Die Aufgabe: ein Symbol nach 60 Schritten Rauschen nennen.

# %% tags=["show"]
for name, boxes, make_layer in (
    ("Elman", 1, lambda: sluice.nn.RNN(4, 16)),
    ("GRU", 3, lambda: sluice.nn.GRU(4, 16, chrono=120)),
    ("LSTM", 4, lambda: sluice.nn.LSTM(4, 16, chrono=120)),
):
    torch.manual_seed(1)
    model = Recaller(make_layer())
    count = sum(weight.numel() for weight in model.layer.parameters())
    assert count == boxes * 16 * (4 + 16 + 2)
    recalled = train_recaller(model, lag=60, updates=400)
    print(f"{name:5} {count:4} parameters, {recalled:4.0%} recalled")

# %% [markdown] lang="en" tags=["slide"]
# ## What people made with it
#
# - **Text, letter by letter**: Karpathy's char-rnn (2015), stories, code, Shakespeare
# - **Folk tunes**: folk-rnn (Sturm et al. 2016), played at sessions
# - both in Sluice: `sluice train poem.txt`, `sluice compose`

# %% [markdown] lang="de" tags=["slide"]
# ## Was man daraus gemacht hat
#
# - **Text, Zeichen für Zeichen**: char-rnn von Karpathy (2015), Geschichten, Quelltext, Shakespeare
# - **Volksmusik**: folk-rnn (Sturm et al. 2016), gespielt auf Sessions
# - beides in Sluice: `sluice train poem.txt`, `sluice compose`

# %% [markdown] lang="en"
# [Coming from char-rnn](../coming-from/char-rnn.md) and [from folk-rnn](../coming-from/folk-rnn.md) show both with the
# commands of today, [Folk tunes](../tunes.md) what the model in this package composes, and [the studio](../studio.md) a
# site on which it plays.

# %% [markdown] lang="de"
# [Von char-rnn](../../coming-from/char-rnn.md) und [von folk-rnn](../../coming-from/folk-rnn.md) kommend zeigen zwei Seiten
# beides mit heutigen Befehlen; [Folk tunes](../../tunes.md) zeigt, was das mitgelieferte Modell komponiert, und
# [The studio](../../studio.md) eine Website, auf der es spielt.
