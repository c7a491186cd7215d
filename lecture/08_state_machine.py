# %% [markdown] lang="en" tags=["slide"]
# # A finite state machine on a memory
#
# Seen from computer design, the unit is a memory cell with commands:
#
# | gates | command |
# |---|---|
# | input gate open | *store* |
# | forget gate open, input gate shut | *keep* |
# | output gate open | *load* |
# | forget gate shut | *delete* |
#
# The program that gives the commands has to be learned.

# %% [markdown] lang="de" tags=["slide"]
# # Ein endlicher Automat auf einem Speicher
#
# Mit den Augen der Rechnerarchitektur ist die Einheit eine Speicherzelle mit Befehlen:
#
# | Gates | Befehl |
# |---|---|
# | Input-Gate offen | *speichern* (store) |
# | Forget-Gate offen, Input-Gate zu | *behalten* (keep) |
# | Output-Gate offen | *laden* (load) |
# | Forget-Gate zu | *löschen* (delete) |
#
# Das Programm, das die Befehle gibt, muss gelernt werden.

# %% [markdown] lang="en"
# The lecture suggests to see the hidden state as a kind of program, a finite state machine that works on the memory. Here
# it is put to the test: an LSTM reads programs in five instructions, `store 0`, `store 1`, `keep`, `load` and `delete`, and
# learns to say what the memory shows after each. Nobody tells it that it has a memory. Its gates see the instruction alone
# (the recurrent weights are 0), so what is remembered must be in c.

# %% [markdown] lang="de"
# Die Vorlesung schlägt vor, den verborgenen Zustand als eine Art Programm zu sehen, als endlichen Automaten, der auf dem
# Speicher arbeitet. Hier wird das geprüft: Ein LSTM liest Programme aus fünf Befehlen, `store 0`, `store 1`, `keep`,
# `load` und `delete`, und lernt zu sagen, was der Speicher nach jedem zeigt. Niemand sagt ihm, dass es einen Speicher hat.
# Seine Gates sehen nur den Befehl (die rekurrenten Gewichte sind 0); was behalten wird, muss also in c stehen.

# %%
import torch
from torch import nn
from torch.nn import functional

import sluice
from sluice.insight import plots
from sluice.sequence import formal_languages

language = formal_languages.memory_program(values=2)
program = ["store 1", "keep", "load", "delete", "load"]
print(language.label_prefixes(program)[1:])  # ['nothing', 'nothing', '1', 'nothing', 'nothing']

# %%
SYMBOLS = len(language.vocabulary)


class Computer(nn.Module):
    """Instructions in, what the memory shows out."""

    def __init__(self):
        super().__init__()
        self.layer = sluice.nn.LSTM(SYMBOLS, 4, chrono=20)
        self.readout = nn.Linear(4, len(language.outputs))
        self.layer.weight_hh_l0.data.zero_()
        self.layer.weight_hh_l0.requires_grad_(False)

    def forward(self, ids):
        return self.readout(self.layer(functional.one_hot(ids, SYMBOLS).float())[0])


torch.manual_seed(0)
computer, generator = Computer(), torch.Generator().manual_seed(0)
optimizer = torch.optim.Adam([p for p in computer.parameters() if p.requires_grad], lr=0.03)
for _ in range(300):
    words = language.draw(32, 20, generator)
    logits, shown = computer(language.encode(words)), language.encode_labels(words)
    optimizer.zero_grad()
    functional.cross_entropy(logits.flatten(0, 1), shown.flatten()).backward()
    optimizer.step()

# %% [markdown] lang="en" tags=["slide"]
# ## The machine that it has learned
#
# Extracted from the trained network's states, compared with the textbook's, and drawn. Each state says what the memory
# shows.

# %% [markdown] lang="de" tags=["slide"]
# ## Der Automat, den es gelernt hat
#
# Aus den Zuständen des trainierten Netzes gewonnen, mit dem aus dem Lehrbuch verglichen und gezeichnet. An jedem Zustand
# steht, was der Speicher zeigt.

# %% alt="Five states with arrows labelled by instructions between them" alt_de="Fünf Zustände, dazwischen Pfeile, die mit Befehlen beschriftet sind"
found = sluice.insight.extract_state_machine(
    computer,
    language.alphabet,
    outputs=language.outputs,
    encode=language.encode,
    language=language.label_prefixes,
)
plots.plot_state_machine(found.machine)

# %%
difference = found.machine.find_difference(language.build_machine())
print(
    f"{len(found.machine)} states; on {found.fidelity:.0%} of longer programs it says what the network says"
)
print("a program on which it differs from the textbook's machine:", difference)
assert difference is None and found.fidelity > 0.95

# %% [markdown] lang="en"
# It has a state for each content of the memory, and two more in which that content is shown. Nothing was said about states
# in the training. [State machines](../state-machines.md) does the same for parity, brackets and other languages.

# %% [markdown] lang="de"
# Er hat einen Zustand für jeden Inhalt des Speichers und zwei weitere, in denen dieser Inhalt gezeigt wird. Von Zuständen
# war im Training keine Rede. [State machines](../../state-machines.md) macht dasselbe für Parität, Klammern und andere
# Sprachen.

# %% [markdown] lang="en" tags=["slide"]
# ## Commands, read from the gates
#
# One unit holds *whether* something is stored (another one, *what*). Its gates over a program: S0 and S1 store, K keeps, L
# loads, D deletes

# %% [markdown] lang="de" tags=["slide"]
# ## Befehle, an den Gates abgelesen
#
# Eine Einheit hält fest, *ob* etwas gespeichert ist (eine andere, *was*). Ihre Gates über einem Programm: S0 und S1
# speichern, K behält, L lädt, D löscht

# %% tags=["fold"] alt="Forget gate, output gate, what is written and cell state of one unit, over some thirty instructions" alt_de="Forget-Gate, Output-Gate, Geschriebenes und Zellzustand einer Einheit über etwa dreißig Befehlen"
words = language.draw(100, 32, torch.Generator().manual_seed(9))
with torch.no_grad(), sluice.record(computer) as tape:
    computer(language.encode(words))


def follow(word):
    """Whether the memory holds something, after the start and after each instruction."""
    full = [0.0]
    for name in word:
        full.append(1.0 if name.startswith("store") else 0.0 if name == "delete" else full[-1])
    return full


full = torch.tensor([follow(word) for word in words]).T
units, correlations = sluice.insight.find_correlated_units(tape.c, full)
unit = int(units[0])
one = {
    name: tape.layer(0)[name][1:, 0, unit].numpy()
    for name in ("forget", "input", "candidate", "output", "c")
}
rows = {
    "forget gate": one["forget"][:, None],
    "output gate": one["output"][:, None],
    "written": (one["input"] * one["candidate"])[:, None],
    "cell state": one["c"][:, None],
}
short = {"store 0": "S0", "store 1": "S1", "keep": "K", "load": "L", "delete": "D"}
plots.plot_heat_map(rows, tokens=[short[name] for name in words[0]])

# %% [markdown] lang="en" tags=["slide"]
# ## Does every gate do what the instruction says?
#
# In 100 programs: at how many of its own instructions, and of the others, is each command read from the gates of that unit?

# %% [markdown] lang="de" tags=["slide"]
# ## Tut jedes Gate, was der Befehl sagt?
#
# In 100 Programmen: Bei wie vielen seiner eigenen Befehle, und bei wie vielen der anderen, ist jedes Kommando an den
# Gates dieser Einheit abzulesen?

# %% tags=["show"]
done = sluice.insight.classify_memory_operations(tape, shut=0.25, open=0.75, negligible=0.25)
told = [[name.split()[0] for name in word] for word in words]
for command in ("store", "keep", "delete", "load"):
    is_told = torch.tensor([[name == command for name in row] for row in told]).T
    is_done = getattr(done, command)[1:, :, unit]
    own, others = is_done[is_told].double().mean(), is_done[~is_told].double().mean()
    print(f"{command:6} {own:4.0%} of its own instructions, {others:4.0%} of the others")

# %% [markdown] lang="en"
# *load* is where it belongs, and *keep* too: a load keeps what it shows. *delete* and *store* come together in this unit: to store it forgets the old
# value and writes the new one, and to delete it writes the value that stands for *empty*. A trained network is free to
# choose such a code; the machine behind it is the textbook's all the same.

# %% [markdown] lang="de"
# *load* steht dort, wo es hingehört, und *keep* auch: Ein load behält, was es zeigt. *delete* und *store* treten in dieser Einheit zusammen auf: Um zu
# speichern, vergisst sie den alten Wert und schreibt den neuen, und um zu löschen, schreibt sie den Wert, der für *leer*
# steht. Eine solche Kodierung darf ein trainiertes Netz frei wählen; der Automat dahinter ist trotzdem der aus dem
# Lehrbuch.
