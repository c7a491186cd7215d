"""What each exercise asks, and its hint, in two languages."""

from __future__ import annotations

from sluice.lecture.exercises.feedback import Sentence

TITLES = {
    "elman_step": Sentence("The Elman step", "Der Elman-Schritt"),
    "forget_gate": Sentence("The forget gate", "Das Forget-Gate"),
    "lstm_step": Sentence("The LSTM step", "Der LSTM-Schritt"),
    "output": Sentence("The output", "Die Ausgabe"),
    "gates_for": Sentence("Gates as memory operations", "Gates als Speicherbefehle"),
    "gradient_norm": Sentence("Why the gradient vanishes", "Warum der Gradient verschwindet"),
    "bptt_step": Sentence(
        "One step of backpropagation through time", "Ein Schritt Backpropagation durch die Zeit"
    ),
    "truncated_gradient": Sentence(
        "Truncate backpropagation through time", "Backpropagation durch die Zeit abschneiden"
    ),
    "count_parameters": Sentence("Count the parameters", "Parameter zählen"),
    "labels": Sentence("Label the sketch", "Die Skizze beschriften"),
}

STATEMENTS = {
    "elman_step": Sentence(
        "Write one step of the Elman cell: from x (n numbers) and the old h (m numbers) to the "
        "new h. W is m × n, R is m × m, b has m numbers. All are tensors.",
        "Schreibe einen Schritt der Elman-Zelle: von x (n Zahlen) und dem alten h (m Zahlen) zum "
        "neuen h. W ist m × n, R ist m × m, b hat m Zahlen. Alles sind Tensoren.",
    ),
    "forget_gate": Sentence(
        "Compute the forget gate from x (n numbers) and the old h (m numbers). W is m × (m + n) "
        "and multiplies the concatenation [h, x], h first.",
        "Berechne das Forget-Gate aus x (n Zahlen) und dem alten h (m Zahlen). W ist m × (m + n) "
        "und wird mit der Verkettung [h, x] multipliziert, h zuerst.",
    ),
    "lstm_step": Sentence(
        "Write one step of the LSTM; return the new h and the new c. W is 4m × (m + n) and "
        "multiplies [h, x]; its rows, and those of b, are in the order of the lecture: forget "
        "gate, input gate, candidate, output gate, m rows each.",
        "Schreibe einen Schritt des LSTM; gib das neue h und das neue c zurück. W ist 4m × (m + "
        "n) und wird mit [h, x] multipliziert; seine Zeilen und die von b stehen in der "
        "Reihenfolge der Vorlesung: Forget-Gate, Input-Gate, Kandidat, Output-Gate, je m Zeilen.",
    ),
    "output": Sentence(
        "Compute the output y: the probabilities of k classes, which add up to 1. Both new states "
        "h and c (m numbers each) are there; V is k × m, b has k numbers.",
        "Berechne die Ausgabe y: die Wahrscheinlichkeiten von k Klassen, deren Summe 1 ist. Beide "
        "neuen Zustände h und c (je m Zahlen) stehen bereit; V ist k × m, b hat k Zahlen.",
    ),
    "gates_for": Sentence(
        "A unit of an LSTM is a memory of one number. Which values of forget, input and output "
        "gate carry out a command? `keep`: c stays, and nothing is shown. `load`: c stays and is "
        "shown. `store`: c becomes the candidate, and nothing is shown. `delete`: c becomes 0, "
        "and nothing is shown. Return (f, i, o).",
        "Eine Einheit eines LSTM ist ein Speicher für eine Zahl. Welche Werte von Forget-, Input- "
        "und Output-Gate führen einen Befehl aus? `keep`: c bleibt, gezeigt wird nichts. `load`: "
        "c bleibt und wird gezeigt. `store`: c wird zum Kandidaten, gezeigt wird nichts. "
        "`delete`: c wird 0, gezeigt wird nichts. Gib (f, i, o) zurück.",
    ),
    "gradient_norm": Sentence(
        "In an Elman cell near h = 0 the derivative of tanh is 1. Let R be a rotation times s. A "
        "gradient of norm 1 arrives at the last step. What norm has it the given number of steps "
        "earlier? Try s = 0.9 and 50 steps: what is left?",
        "In einer Elman-Zelle nahe h = 0 ist die Ableitung von tanh gleich 1. R sei eine Drehung "
        "mal s. Im letzten Schritt kommt ein Gradient der Norm 1 an. Welche Norm hat er die "
        "gegebene Zahl von Schritten früher? Probiere s = 0.9 und 50 Schritte: Was bleibt übrig?",
    ),
    "bptt_step": Sentence(
        "One step of BPTT by hand, for h = tanh(W x + R h_before + b). Given dh, the derivative "
        "of the loss with respect to h (all later steps included), return this step's share of "
        "dL/dR (m × m) and dL/dh_before (m numbers).",
        "Ein Schritt BPTT von Hand, für h = tanh(W x + R h_before + b). Gegeben ist dh, die "
        "Ableitung des Verlusts nach h (alle späteren Schritte inbegriffen). Gib den Anteil "
        "dieses Schritts an dL/dR (m × m) und dL/dh_before (m Zahlen) zurück.",
    ),
    "truncated_gradient": Sentence(
        "x has T steps, (T, n); h starts at 0, h = tanh(W x + R h), and the loss is the sum of "
        "the last h. Return dL/dR with the gradient truncated: it goes through the last k steps "
        "only. The state itself comes from the very beginning.",
        "x hat T Schritte, (T, n); h beginnt bei 0, es gilt h = tanh(W x + R h), und der Verlust "
        "ist die Summe des letzten h. Gib dL/dR mit abgeschnittenem Gradienten zurück: Er geht "
        "nur durch die letzten k Schritte. Der Zustand selbst kommt vom ersten Schritt her.",
    ),
    "count_parameters": Sentence(
        "How many parameters has a layer of the cell `elman`, `gru` or `lstm` with n inputs and m "
        "units? As in the lecture: one bias for each gate or candidate.",
        "Wie viele Parameter hat eine Schicht der Zelle `elman`, `gru` oder `lstm` mit n "
        "Eingängen und m Einheiten? Wie in der Vorlesung: ein Bias-Vektor für jedes Gate und "
        "jeden Kandidaten.",
    ),
    "labels": Sentence(
        "Take the sheet of blanks of the LSTM. Return what its parts are called: the four learned "
        "boxes from left to right as `box 1` to `box 4`, the line on top as `top`, the line below "
        "as `bottom`. The names: forget gate, input gate, candidate, output gate, cell state, "
        "hidden state.",
        "Nimm das Blatt mit den Lücken des LSTM. Gib zurück, wie seine Teile heißen: die vier "
        "gelernten Kästen von links nach rechts als `box 1` bis `box 4`, die obere Linie als "
        "`top`, die untere als `bottom`. Die Namen: Forget-Gate, Input-Gate, Kandidat, "
        "Output-Gate, Zellzustand, verborgener Zustand.",
    ),
}

HINTS = {
    "elman_step": Sentence(
        "Three terms under one tanh: what comes from x, what comes from h, the bias. `W @ x` is a "
        "matrix times a vector.",
        "Drei Summanden unter einem tanh: was von x kommt, was von h kommt, der Bias. `W @ x` ist "
        "Matrix mal Vektor.",
    ),
    "forget_gate": Sentence(
        "`torch.cat([h, x])` concatenates. A gate lies between 0 and 1: which function does that?",
        "`torch.cat([h, x])` verkettet. Ein Gate liegt zwischen 0 und 1: Welche Funktion leistet "
        "das?",
    ),
    "lstm_step": Sentence(
        "`(W @ torch.cat([h, x]) + b).chunk(4)` gives the four parts. Three are gates, one is a "
        "candidate. First c, then h from the new c.",
        "`(W @ torch.cat([h, x]) + b).chunk(4)` ergibt die vier Teile. Drei sind Gates, einer ist "
        "ein Kandidat. Erst c, dann h aus dem neuen c.",
    ),
    "output": Sentence(
        "The output reads one of the two states only. Which one does the unit show? "
        "`torch.softmax(…, dim=0)` makes probabilities.",
        "Die Ausgabe liest nur einen der beiden Zustände. Welchen zeigt die Einheit? "
        "`torch.softmax(…, dim=0)` macht Wahrscheinlichkeiten daraus.",
    ),
    "gates_for": Sentence(
        "c ← f · c + i · candidate and h ← o · tanh(c). Put 0 and 1 into f, i and o.",
        "c ← f · c + i · Kandidat und h ← o · tanh(c). Setze für f, i und o die Werte 0 und 1 ein.",
    ),
    "gradient_norm": Sentence(
        "A rotation does not change a norm. What does each step multiply the norm by?",
        "Eine Drehung ändert keine Norm. Womit wird die Norm in jedem Schritt multipliziert?",
    ),
    "bptt_step": Sentence(
        "First back through tanh: its derivative is 1 − h². Call the result delta. Then dL/dR is "
        "an outer product, and dL/dh_before needs R transposed.",
        "Zuerst zurück durch tanh: Seine Ableitung ist 1 − h². Das Ergebnis heiße delta. Dann ist "
        "dL/dR ein äußeres Produkt, und für dL/dh_before braucht man R transponiert.",
    ),
    "truncated_gradient": Sentence(
        "`h = h.detach()` keeps the value and cuts the gradient. Before which step, counted from "
        "0, do the last k begin? Let autograd do the rest.",
        "`h = h.detach()` behält den Wert und kappt den Gradienten. Vor welchem Schritt, von 0 an "
        "gezählt, beginnen die letzten k? Den Rest erledigt Autograd.",
    ),
    "count_parameters": Sentence(
        "Count the learned boxes of the sketch: Elman 1, GRU 3, LSTM 4. Each reads [h, x].",
        "Zähle die gelernten Kästen der Skizze: Elman 1, GRU 3, LSTM 4. Jeder liest [h, x].",
    ),
    "labels": Sentence(
        "Follow each box upwards: what is it multiplied with? The candidate is the only learned "
        "box with tanh.",
        "Folge jedem Kasten nach oben: Womit wird er multipliziert? Der Kandidat ist der einzige "
        "gelernte Kasten mit tanh.",
    ),
}
