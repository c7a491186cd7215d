"""Whatever ABC holds, the page shows a score or a sentence, and nothing of its own."""

from __future__ import annotations

import pytest

from sampling import thin_out
from studio.browser.conftest import Players
from studio.browser.hostile_abc import HOSTILE

pytestmark = pytest.mark.browser

DRAW = """(async () => {
    const outside = () => document.querySelectorAll("*").length
        - document.querySelectorAll(".score-sheet *").length;
    const before = outside();
    const results = [];
    for (const abc of window.corpus) {
        const start = performance.now();
        await player.setAbc(abc);
        const isPlayable = player.prepare();
        await new Promise(resolve => setTimeout(resolve));
        const inside = [...player.score.sheet.querySelectorAll("*")];
        const allowed = new Set(
            ["svg", "g", "path", "text", "tspan", "style", "rect", "circle", "defs"]);
        const strange = inside.filter(part =>
            part.namespaceURI !== "http://www.w3.org/2000/svg"
            || !allowed.has(part.localName)
            || (part.localName === "style" && !part.textContent.includes("abcjs-dragging"))
            || part.getAttributeNames().some(name => /^on|href|^src/i.test(name))
            || part.getAttribute("style")
            || /url\\(|javascript:/i.test(part.getAttribute("fill") ?? ""));
        results.push({
            added: outside() - before,
            strange: strange.map(part => part.outerHTML.slice(0, 200)),
            milliseconds: performance.now() - start,
            says: player.score.notice.textContent,
            children: player.score.notice.childElementCount,
            isDrawn: Boolean(player.score.tune), isPlayable,
            notes: player.timeline?.notes.length ?? 0,
        });
    }
    return results;
})()"""


@pytest.mark.parametrize("corpus", thin_out([HOSTILE[::4], HOSTILE], 2), ids=["some", "all"])
def test_hostile_abc_adds_nothing_to_the_page(players: Players, corpus: list[str]) -> None:
    assert len(HOSTILE) > 100
    page = players.show("X:1\nK:C\nCDEF|\n")
    asked = len(players.requests)
    page.evaluate("corpus => (window.corpus = corpus)", corpus)
    results = players.ask(DRAW)
    assert len(results) == len(corpus)
    for abc, result in zip(corpus, results, strict=True):
        assert result["added"] == 0, abc[:200]
        assert result["strange"] == [], abc[:200]
        assert result["children"] == 0, abc[:200]
        assert result["isDrawn"] or result["says"], "a score or a sentence: " + abc[:200]
        assert result["milliseconds"] < 30_000, abc[:200]
    assert players.requests[asked:] == []
    drawn = sum(result["isDrawn"] for result in results)
    assert 0.6 * len(corpus) < drawn < len(corpus), "most are drawn, and some refused"


def test_endless_numbers_are_refused_with_their_place(players: Players) -> None:
    players.show("X:1\nK:C\nCDEF|\n")
    for music, place, found in (
        ("CDEF|G100000 A|", "place 7", "100000"),
        ("C////////D|", "place 2", "////////"),
        ('"99999 is no length"C2|[1-99 D:|', "place 24", "[1-99"),
    ):
        players.page.evaluate("abc => (window.abc = abc)", f"X:1\nK:C\n{music}\n")
        said = players.ask("player.setAbc(window.abc).then(() => player.score.notice.textContent)")
        assert f"Line 3, {place}" in said and found in said
    players.page.evaluate("window.abc = 'X:1\\nK:C\\n' + 'C'.repeat(20000)")
    said = players.ask("player.setAbc(window.abc).then(() => player.score.notice.textContent)")
    assert "10000 characters" in said
