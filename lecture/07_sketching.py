# %% [markdown] lang="en" tags=["slide"]
# # How to sketch it
#
# As in an exam: on an empty page, in a few strokes. First the two lines of the states, then what comes in, then gate after
# gate, each with what it acts on.

# %% [markdown] lang="de" tags=["slide"]
# # So wird es gezeichnet
#
# Wie in der Prüfung: auf ein leeres Blatt, mit wenigen Strichen. Zuerst die beiden Linien der Zustände, dann das, was
# hereinkommt, dann Gate für Gate, jedes mit dem, worauf es wirkt.

# %% tags=["translate", "each"] alt="A stroke of the drawing of the LSTM, those before it in grey, its caption below" alt_de="Ein Strich der Zeichnung des LSTM, die früheren in Grau, darunter, was zu tun ist"
from IPython.display import display

import sluice
from sluice.render.sketch import draw_side_by_side, draw_strokes, draw_unrolled

graph = sluice.cells.LSTM().graph
for stroke in draw_strokes(graph, output=True, language="en"):
    display(stroke)

# %% [markdown] lang="en"
# The order is the one in which the equations are computed, so whoever can draw the unit can also write them down, and the
# other way round. Three questions find most mistakes in a student's drawing. Does the line of the cell state carry one
# product and one sum, and nothing else? Do all four boxes read the same [h, x]? Does h come from the *new* cell state?

# %% [markdown] lang="de"
# Die Reihenfolge ist die, in der die Gleichungen berechnet werden: Wer die Einheit zeichnen kann, kann sie auch
# hinschreiben, und umgekehrt. Drei Fragen finden die meisten Fehler in einer Zeichnung. Trägt die Linie des Zellzustands
# ein Produkt und eine Summe und sonst nichts? Lesen alle vier Kästen dasselbe [h, x]? Kommt h aus dem *neuen*
# Zellzustand?

# %% [markdown] lang="en" tags=["slide"]
# ## Three cells, side by side
#
# Elman, GRU, LSTM: one learned box, three, four

# %% [markdown] lang="de" tags=["slide"]
# ## Drei Zellen nebeneinander
#
# Elman, GRU, LSTM: ein gelernter Kasten, drei, vier

# %% tags=["translate"] alt="The units of Elman cell, GRU and LSTM in a row" alt_de="Die Einheiten von Elman-Zelle, GRU und LSTM in einer Reihe"
cells = [kind().graph for kind in (sluice.cells.Elman, sluice.cells.GRU, sluice.cells.LSTM)]
draw_side_by_side(cells, language="en")

# %% [markdown] lang="en" tags=["slide"]
# ## Unrolled
#
# Three copies, the same weights: c and h go from each to the next.

# %% [markdown] lang="de" tags=["slide"]
# ## Entrollt
#
# Drei Kopien, dieselben Gewichte: c und h gehen von einer zur nächsten.

# %% tags=["translate"] alt="Three LSTM units in a row, joined by the lines of their states" alt_de="Drei LSTM-Einheiten in einer Reihe, verbunden durch die Linien ihrer Zustände"
draw_unrolled(graph, 3, language="en")

# %% [markdown] lang="en"
# Sheets to print, A4: the [strokes](sheets/lstm-strokes-1.pdf) ([second page](sheets/lstm-strokes-2.pdf)), a [sheet of
# blanks](sheets/lstm-blanks.pdf) and its [solution](sheets/lstm-solution.pdf), also for the
# GRU ([blanks](sheets/gru-blanks.pdf), [solution](sheets/gru-solution.pdf)). `sluice sketch lstm --blanks` and `--strokes` make them for any cell; the options are in
# [equations and sketches](../equations-and-sketches.md).

# %% [markdown] lang="de"
# Blätter zum Drucken, A4: die [Striche](sheets/lstm-strokes-1.pdf) ([zweite Seite](sheets/lstm-strokes-2.pdf)), ein
# [Blatt mit Lücken](sheets/lstm-blanks.pdf) und seine [Lösung](sheets/lstm-solution.pdf), auch für die
# GRU ([Blatt](sheets/gru-blanks.pdf), [Lösung](sheets/gru-solution.pdf)). `sluice sketch lstm --blanks --language de` und `--strokes` machen sie für jede Zelle; alle
# Optionen stehen unter [Equations and sketches](../../equations-and-sketches.md).
